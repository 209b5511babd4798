// SIGSTOP and SIGCONT: processes that come back after everybody has given them up, or never noticed that they were
// away.
#include <fmt/format.h>

#include <csignal>

#include "support/rig.hpp"

namespace tensorpool {
namespace {

class Stop : public RigTest {};

TEST_F(Stop, OfAProducerBeyondItsLeaseLeavesItItsOldFilesOnly) {
  rig({.client_liveness_ns = 60 * nanos_per_second}).start();
  auto consumer = rig().spawn_consumer();
  auto old = rig().spawn_producer();
  ASSERT_TRUE(consumer->advances("delivered"));
  const std::uint64_t old_epoch = consumer->value("epoch");
  EXPECT_TRUE(old->maps(rig().epoch_dir(old_epoch)));
  const Stopwatch stopped;
  old->signal(SIGSTOP);
  ASSERT_TRUE(eventually([&] { return rig().driver_status().counts.expirations == 1; }));
  EXPECT_LT(stopped.ms(), generous_ms(lease_ms + 2 * period_ms)) << "the end of the lease";
  auto successor = rig().spawn_producer();
  const std::uint64_t new_epoch = rig().epoch_of(Rig::stream);
  ASSERT_TRUE(eventually([&] { return consumer->value("epoch") == new_epoch; })) << consumer->output();
  const std::uint64_t published = successor->value("published");
  EXPECT_TRUE(successor->maps(rig().epoch_dir(new_epoch)));
  EXPECT_TRUE(consumer->maps(rig().epoch_dir(new_epoch)));
  const auto expect_old_files_only = [&](const char* when) {
    EXPECT_FALSE(old->maps(rig().epoch_dir(new_epoch))) << when << " it maps the files of the other's epoch";
  };
  expect_old_files_only("while it was stopped");
  const Stopwatch woken;
  old->signal(SIGCONT);
  EXPECT_TRUE(old->await("event revoked")) << old->output();
  EXPECT_TRUE(old->said("the driver ended the lease (EXPIRED)") ||
              old->said(fmt::format("epoch {} was announced, so the lease on an earlier epoch is gone", new_epoch)))
      << old->output();
  EXPECT_LT(woken.ms(), generous_ms(2 * period_ms)) << "the word that its lease is gone";
  expect_old_files_only("when it had learnt that its lease was gone");
  EXPECT_TRUE(old->await("event refused")) << old->output();
  EXPECT_TRUE(old->said("producer already attached")) << old->output();
  expect_old_files_only("after it was refused");
  EXPECT_TRUE(eventually([&] { return old->value("not_attached") > 0; })) << old->output();
  EXPECT_LE(old->value("epoch"), old_epoch) << "the old producer got a lease beside the new one's";
  EXPECT_TRUE(consumer->advances("delivered", 50)) << consumer->output();
  EXPECT_EQ(consumer->value("epoch"), new_epoch);
  EXPECT_EQ(consumer->value("bad"), 0U) << consumer->output();
  EXPECT_EQ(consumer->value("disorder"), 0U) << consumer->output();
  EXPECT_GT(successor->value("published"), published);
  EXPECT_EQ(successor->value("not_attached"), 0U) << successor->output();
  expect_old_files_only("while the other wrote");
  // Once the place is free the old one takes it by itself.
  end(*successor);
  EXPECT_TRUE(eventually([&] { return old->value("epoch") > new_epoch; })) << old->output();
  expect_old_files_only("in its new epoch");
  EXPECT_TRUE(old->maps(rig().epoch_dir(old->value("epoch"))));
  EXPECT_TRUE(eventually([&] { return !old->maps(rig().epoch_dir(old_epoch)); })) << "it keeps its old files mapped";
  EXPECT_TRUE(consumer->advances("delivered", 20)) << consumer->output();
  end(*old);
  end(*consumer);
}

TEST_F(Stop, OfTheDriverForLongerThanALeaseExpiresNobody) {
  rig({.period_ms = 1000, .client_liveness_ns = 60 * nanos_per_second}).start_media();
  auto driver = rig().spawn_driver();
  auto producer = rig().spawn_producer();
  auto consumer = rig().spawn_consumer();
  ASSERT_TRUE(consumer->advances("delivered"));
  const std::uint64_t epoch = consumer->value("epoch");
  driver->signal(SIGSTOP);
  EXPECT_TRUE(consumer->await("driver_silent")) << consumer->output();  // three periods, which is a whole lease
  EXPECT_TRUE(producer->advances("published", 100)) << producer->output();
  driver->signal(SIGCONT);
  // Had it expired anybody, it would have said so before its next announce, which the clients' keepalives bring.
  EXPECT_TRUE(consumer->advances("delivered", 500)) << consumer->output();
  EXPECT_FALSE(producer->said("revoked")) << producer->output();
  EXPECT_FALSE(consumer->said("revoked")) << consumer->output();
  EXPECT_EQ(consumer->value("epoch"), epoch);
  EXPECT_EQ(producer->value("not_attached"), 0U);
  end(*producer);
  end(*consumer);
  driver->signal(SIGTERM);
  EXPECT_EQ(driver->wait(), 0) << driver->output();
}

// Aeron evicts a reader that is a window behind; the ring laps it long before. Its own lease is long, so that it stays
// attached.
TEST_F(Stop, OfALoneConsumerNeverHoldsUpTheProducerAndEveryMissedFrameIsCounted) {
  rig({.nslots = 16, .period_ms = 1000, .lease_periods = 60, .client_liveness_ns = 60 * nanos_per_second}).start();
  auto consumer = rig().spawn_consumer();
  auto producer = rig().spawn_producer({"rate=1000", "burst=20", "bytes=64"});
  ASSERT_TRUE(consumer->advances("delivered"));
  consumer->signal(SIGSTOP);
  EXPECT_TRUE(producer->advances("published", 80000)) << producer->output();
  EXPECT_EQ(producer->value("not_committed"), 0U) << producer->output();
  EXPECT_EQ(producer->value("not_attached"), 0U) << producer->output();
  consumer->signal(SIGCONT);
  EXPECT_TRUE(consumer->advances("delivered", 100)) << consumer->output();
  producer->send("pause");
  const auto settled = [&] {
    const std::uint64_t next = producer->value("next");
    return next != 0 && consumer->value("last") + 1 == next && producer->value("next") == next;
  };
  ASSERT_TRUE(eventually(settled)) << producer->output() << consumer->output();
  EXPECT_GT(consumer->value("gap"), 0U) << "it was never evicted" << consumer->output();
  EXPECT_EQ(consumer->value("last") - consumer->value("first") + 1,
            consumer->value("delivered") + consumer->value("abandoned") + consumer->value("lost"))
      << consumer->output();
  EXPECT_EQ(consumer->value("bad"), 0U);
  EXPECT_EQ(consumer->value("disorder"), 0U);
  end(*producer);
  end(*consumer);
}

}  // namespace
}  // namespace tensorpool
