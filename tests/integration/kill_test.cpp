// kill -9 of each process in turn, and what all the others do: who must notice does, and in time; who need not goes on;
// nobody else exits.
#include <fmt/format.h>

#include <csignal>

#include "support/rig.hpp"

namespace tensorpool {
namespace {

// The bounds of the protocol, in milliseconds, for a rig of these options; tests allow more, see generous_ms().
const std::int64_t silence_ms = 3 * period_ms;
const std::int64_t remap_ms = 2 * period_ms;
constexpr std::int64_t media_silence_ms = 2200;  // Aeron's driver time-out, and a keepalive interval
constexpr std::int64_t media_retry_ms = 500;     // the longest pause between two attempts to reconnect
constexpr std::int64_t attach_retry_ms = 2000;   // the longest pause between two attempts to attach

class Kill : public RigTest {
 protected:
  // What must hold of a consumer whatever happened around it.
  static void expect_unharmed(Child& consumer) {
    EXPECT_TRUE(consumer.running()) << consumer.output();
    EXPECT_EQ(consumer.value("bad"), 0U) << consumer.output();
    EXPECT_EQ(consumer.value("disorder"), 0U) << consumer.output();
  }
  static void expect_alive(std::initializer_list<Child*> bystanders) {
    for (Child* bystander : bystanders) EXPECT_TRUE(bystander->running()) << "it died too" << bystander->output();
  }
  static void expect_within(const Stopwatch& since, std::int64_t nominal_ms, const char* what) {
    EXPECT_LT(since.ms(), generous_ms(nominal_ms)) << what << " took longer than " << nominal_ms << " ms by far";
  }
};

std::string remap_to(std::uint64_t epoch) { return fmt::format("follows stream {} to epoch {}", Rig::stream, epoch); }

TEST_F(Kill, OfAProducerEndsItsLeaseAndTheNextOneIsFollowed) {
  rig().start();
  auto consumer = rig().spawn_consumer();
  auto producer = rig().spawn_producer();
  ASSERT_TRUE(consumer->advances("delivered")) << consumer->output();
  const std::uint64_t epoch = rig().epoch_of(Rig::stream);
  const Stopwatch dead;
  producer->kill();
  ASSERT_TRUE(eventually([&] { return rig().driver_status().counts.expirations == 1; })) << "the lease did not expire";
  expect_within(dead, lease_ms + 2 * period_ms, "the end of the lease");
  ASSERT_TRUE(eventually([&] { return rig().epoch_of(Rig::stream) > epoch; })) << "no idle epoch";
  const std::uint64_t idle_epoch = rig().epoch_of(Rig::stream);
  const Stopwatch idle;
  EXPECT_TRUE(consumer->await(remap_to(idle_epoch))) << consumer->output();
  expect_within(idle, remap_ms, "the consumer's remap to the idle epoch");
  EXPECT_EQ(rig().driver_status().leases.size(), 1U) << "only the consumer's is left";
  producer = rig().spawn_producer();
  const Stopwatch announced;
  const std::uint64_t new_epoch = rig().epoch_of(Rig::stream);
  EXPECT_GT(new_epoch, idle_epoch);
  EXPECT_TRUE(consumer->await(remap_to(new_epoch))) << consumer->output();
  expect_within(announced, remap_ms, "the consumer's remap to the new producer's epoch");
  ASSERT_TRUE(eventually([&] { return consumer->value("epoch") == new_epoch; })) << consumer->output();
  EXPECT_TRUE(consumer->advances("delivered", 20)) << consumer->output();
  expect_unharmed(*consumer);
  EXPECT_FALSE(consumer->said("event revoked")) << consumer->output();
  EXPECT_EQ(rig().driver_status().counts.expirations, 1U) << "somebody else's lease expired";
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
  const Stopwatch dead;
  victim->kill();
  ASSERT_TRUE(eventually([&] { return rig().driver_status().leases.size() == 2; })) << "its lease was not freed";
  expect_within(dead, lease_ms + 2 * period_ms, "the end of the lease");
  EXPECT_TRUE(producer->advances("published", 100)) << producer->output();
  EXPECT_TRUE(healthy->advances("delivered", 100)) << healthy->output();
  EXPECT_EQ(producer->value("not_committed"), 0U) << producer->output();
  EXPECT_EQ(producer->value("not_attached"), 0U) << producer->output();
  EXPECT_EQ(rig().epoch_of(Rig::stream), epoch) << "a consumer's end must not start an epoch";
  expect_alive({producer.get(), healthy.get()});
  for (Child* child : {producer.get(), healthy.get()}) EXPECT_FALSE(child->said("event re")) << child->output();
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
  const std::uint64_t published = producer->value("published");
  const std::uint64_t delivered = consumer->value("delivered");
  const Stopwatch dead;
  driver->kill();
  for (Child* client : {producer.get(), consumer.get()}) {
    EXPECT_TRUE(client->await("event driver_silent")) << client->output();
    expect_within(dead, silence_ms + period_ms, "the word that the driver is silent");
  }
  EXPECT_GT(producer->value("published"), published) << "a dead driver stopped the camera" << producer->output();
  EXPECT_GT(consumer->value("delivered"), delivered) << consumer->output();
  EXPECT_TRUE(producer->advances("published", 100)) << producer->output();
  EXPECT_TRUE(consumer->advances("delivered", 100)) << consumer->output();
  expect_alive({producer.get(), consumer.get()});
  driver = rig().spawn_driver();
  const Stopwatch back;
  ASSERT_TRUE(eventually([&] { return producer->value("epoch") > epoch; })) << producer->output();
  ASSERT_TRUE(eventually([&] { return consumer->value("epoch") > epoch; })) << consumer->output();
  expect_within(back, attach_retry_ms + remap_ms, "the way back into a lease");
  EXPECT_TRUE(consumer->advances("delivered", 20)) << consumer->output();
  expect_alive({driver.get(), producer.get()});
  expect_unharmed(*consumer);
  end(*producer);
  end(*consumer);
  end_driver(*driver);
}

TEST_F(Kill, OfTheMediaDriverIsSurvivedByAll) {
  auto media = rig({.lease_periods = 10}).spawn_media();
  auto driver = rig().spawn_driver();
  auto producer = rig().spawn_producer();
  auto consumer = rig().spawn_consumer();
  ASSERT_TRUE(consumer->advances("delivered"));
  const Stopwatch dead;
  media->kill();
  const auto all_say = [&](const char* client_words, const char* driver_words, const Stopwatch& since,
                           std::int64_t within_ms) {
    EXPECT_TRUE(producer->await(client_words)) << producer->output();
    EXPECT_TRUE(consumer->await(client_words)) << consumer->output();
    EXPECT_TRUE(driver->await(driver_words)) << driver->output();
    expect_within(since, within_ms, client_words);
    expect_alive({driver.get(), producer.get(), consumer.get()});
  };
  all_say("event media_driver_lost", "the media driver is lost", dead, media_silence_ms);
  media = rig().spawn_media();
  const Stopwatch back;
  all_say("event media_driver_back", "reconnected to the media driver", back, media_retry_ms);
  EXPECT_TRUE(consumer->advances("delivered", 50)) << consumer->output() << producer->output() << driver->output();
  expect_within(back, media_retry_ms + attach_retry_ms + remap_ms, "the first frames");
  expect_alive({media.get(), driver.get(), producer.get()});
  expect_unharmed(*consumer);
  end(*producer);
  end(*consumer);
  end_driver(*driver);
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
  const Stopwatch dead;
  driver->kill();
  EXPECT_TRUE(producer->await("event media_driver_lost")) << producer->output();
  EXPECT_TRUE(consumer->await("event media_driver_lost")) << consumer->output();
  expect_within(dead, media_silence_ms, "the word that the media driver is lost");
  expect_alive({producer.get(), consumer.get()});
  driver = std::make_unique<Child>(run, embedded);
  ASSERT_TRUE(driver->await("serves control stream")) << driver->output();
  const Stopwatch back;
  ASSERT_TRUE(eventually([&] { return consumer->value("epoch") > epoch; })) << consumer->output();
  expect_within(back, media_retry_ms + attach_retry_ms + remap_ms, "the way back into a lease");
  EXPECT_TRUE(consumer->advances("delivered", 20)) << consumer->output();
  expect_alive({driver.get(), producer.get()});
  expect_unharmed(*consumer);
  end(*producer);
  end(*consumer);
  end_driver(*driver);
}

}  // namespace
}  // namespace tensorpool
