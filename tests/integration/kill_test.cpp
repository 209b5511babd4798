// kill -9 of each process in turn, and what all the others do: who must notice does, who need not goes on, nobody else
// exits.
#include <signal.h>

#include "support/rig.hpp"

namespace tensorpool {
namespace {

class Kill : public RigTest {
 protected:
  // What must hold of a consumer whatever happened around it.
  static void expect_unharmed(Child& consumer) {
    EXPECT_TRUE(consumer.running()) << consumer.output();
    EXPECT_EQ(consumer.value("bad"), 0U) << consumer.output();
    EXPECT_EQ(consumer.value("disorder"), 0U) << consumer.output();
  }
  static void end(Child& child) {
    child.close_input();
    EXPECT_EQ(child.wait(), 0) << child.output();
  }
};

TEST_F(Kill, OfAProducerEndsItsLeaseAndTheNextOneIsFollowed) {
  rig().start();
  auto consumer = rig().spawn_consumer();
  auto producer = rig().spawn_producer();
  ASSERT_TRUE(consumer->advances("delivered")) << consumer->output();
  const std::uint64_t epoch = rig().epoch_of(Rig::stream);
  producer->kill();
  ASSERT_TRUE(eventually([&] { return rig().driver_status().counts.expirations == 1; })) << "the lease did not expire";
  ASSERT_TRUE(eventually([&] { return rig().epoch_of(Rig::stream) > epoch; })) << "no idle epoch";
  const std::uint64_t idle_epoch = rig().epoch_of(Rig::stream);
  EXPECT_EQ(rig().driver_status().leases.size(), 1U) << "only the consumer's is left";
  producer = rig().spawn_producer();
  const std::uint64_t new_epoch = rig().epoch_of(Rig::stream);
  EXPECT_GT(new_epoch, idle_epoch);
  ASSERT_TRUE(eventually([&] { return consumer->value("epoch") == new_epoch; })) << consumer->output();
  EXPECT_TRUE(consumer->advances("delivered", 20)) << consumer->output();
  EXPECT_GE(consumer->value("remaps"), 1U);
  expect_unharmed(*consumer);
  end(*producer);
  end(*consumer);
}

TEST_F(Kill, OfAConsumerIsNoticedByTheDriverAlone) {
  rig().start();
  auto producer = rig().spawn_producer();
  auto victim = rig().spawn_consumer();
  auto healthy = rig().spawn_consumer();
  ASSERT_TRUE(victim->advances("delivered") && healthy->advances("delivered"));
  const std::uint64_t epoch = rig().epoch_of(Rig::stream);
  victim->kill();
  ASSERT_TRUE(eventually([&] { return rig().driver_status().leases.size() == 2; })) << "its lease was not freed";
  EXPECT_TRUE(producer->advances("published", 100)) << producer->output();
  EXPECT_TRUE(healthy->advances("delivered", 100)) << healthy->output();
  EXPECT_EQ(producer->value("not_committed"), 0U) << producer->output();
  EXPECT_EQ(producer->value("not_attached"), 0U) << producer->output();
  EXPECT_EQ(rig().epoch_of(Rig::stream), epoch) << "a consumer's end must not start an epoch";
  expect_unharmed(*healthy);
  end(*healthy);
  end(*producer);
}

TEST_F(Kill, OfTheDriverStopsNobodyAndItsSuccessorTakesAllBackInALaterEpoch) {
  rig({.lease_periods = 10}).start_media();  // a lease outlives the time the new driver takes to start
  auto driver = rig().spawn_driver();
  auto producer = rig().spawn_producer();
  auto consumer = rig().spawn_consumer();
  ASSERT_TRUE(consumer->advances("delivered"));
  const std::uint64_t epoch = consumer->value("epoch");
  driver->kill();
  EXPECT_TRUE(producer->advances("published", 100)) << "a dead driver stopped the camera" << producer->output();
  EXPECT_TRUE(consumer->advances("delivered", 100)) << consumer->output();
  EXPECT_TRUE(consumer->await("driver_silent")) << consumer->output();
  driver = rig().spawn_driver();
  ASSERT_TRUE(eventually([&] { return producer->value("epoch") > epoch; })) << producer->output();
  ASSERT_TRUE(eventually([&] { return consumer->value("epoch") > epoch; })) << consumer->output();
  EXPECT_TRUE(consumer->advances("delivered", 20)) << consumer->output();
  EXPECT_TRUE(producer->running());
  expect_unharmed(*consumer);
  end(*producer);
  end(*consumer);
  driver->signal(SIGTERM);
  EXPECT_EQ(driver->wait(), 0) << driver->output();
}

TEST_F(Kill, OfTheMediaDriverIsSurvivedByAll) {
  auto media = rig({.lease_periods = 10}).spawn_media();
  auto driver = rig().spawn_driver();
  auto producer = rig().spawn_producer();
  auto consumer = rig().spawn_consumer();
  ASSERT_TRUE(consumer->advances("delivered"));
  media->kill();
  EXPECT_TRUE(producer->await("media_driver_lost")) << producer->output();
  EXPECT_TRUE(consumer->await("media_driver_lost")) << consumer->output();
  EXPECT_TRUE(driver->await("the media driver is lost")) << driver->output();
  media = rig().spawn_media();
  EXPECT_TRUE(producer->await("media_driver_back")) << producer->output();
  EXPECT_TRUE(consumer->await("media_driver_back")) << consumer->output();
  EXPECT_TRUE(driver->await("reconnected to the media driver")) << driver->output();
  EXPECT_TRUE(consumer->advances("delivered", 50)) << consumer->output() << producer->output() << driver->output();
  EXPECT_TRUE(producer->running());
  expect_unharmed(*consumer);
  end(*producer);
  end(*consumer);
  driver->signal(SIGTERM);
  EXPECT_EQ(driver->wait(), 0) << driver->output();
  end(*media);
}

// The driver's own media driver goes with it: everybody loses both at once.
TEST_F(Kill, OfADriverWithAnEmbeddedMediaDriverIsSurvivedToo) {
  const std::vector<std::string> embedded{"DRIVER_MEDIA_DRIVER=embedded"};
  const std::vector<std::string> run{TP_BINARY, "driver", "run", rig().config_path()};
  auto driver = std::make_unique<Child>(run, embedded);
  ASSERT_TRUE(driver->await("serves control stream")) << driver->output();
  auto producer = rig().spawn_producer();
  auto consumer = rig().spawn_consumer();
  ASSERT_TRUE(consumer->advances("delivered"));
  const std::uint64_t epoch = consumer->value("epoch");
  driver->kill();
  EXPECT_TRUE(producer->await("media_driver_lost")) << producer->output();
  EXPECT_TRUE(consumer->await("media_driver_lost")) << consumer->output();
  driver = std::make_unique<Child>(run, embedded);
  ASSERT_TRUE(driver->await("serves control stream")) << driver->output();
  ASSERT_TRUE(eventually([&] { return consumer->value("epoch") > epoch; })) << consumer->output();
  EXPECT_TRUE(consumer->advances("delivered", 20)) << consumer->output();
  expect_unharmed(*consumer);
  end(*producer);
  end(*consumer);
  driver->signal(SIGTERM);
  EXPECT_EQ(driver->wait(), 0) << driver->output();
}

}  // namespace
}  // namespace tensorpool
