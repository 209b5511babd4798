// Consumer::wait: what ends it, and that no frame slips between the last poll and the sleep.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "client/scripted_driver_test.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

class ConsumerWait : public StreamBench {
 protected:
  void restart_producer() {
    driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::revoked);
    run(client, 500 * ms);
    ASSERT_TRUE(producer->attached());
  }
};

TEST_F(ConsumerWait, SaysWhetherAFrameIsThere) {
  attach({.wake_consumers = true});
  EXPECT_FALSE(consumer->wait(0));
  EXPECT_FALSE(consumer->wait(2 * ms));
  ASSERT_EQ(publish(0), PublishStatus::ok);
  EXPECT_TRUE(consumer->wait(0));
  EXPECT_TRUE(consumer->wait(second)) << "until it is polled";
  EXPECT_EQ(poll(), Seqs{0});
  EXPECT_FALSE(consumer->wait(0));
  expect_balance(consumer->stats());
}

TEST_F(ConsumerWait, DoesNotBlockInsideACallback) {
  attach();
  ASSERT_EQ(publish(0), PublishStatus::ok);
  consumer->poll([&](const Frame&) { EXPECT_FALSE(consumer->wait(3600 * second)); });
}

TEST_F(ConsumerWait, GoesOnToTheNextEpoch) {
  attach({.wake_consumers = true});
  ASSERT_EQ(publish(0), PublishStatus::ok);
  EXPECT_EQ(poll(), Seqs{0});
  restart_producer();
  EXPECT_TRUE(consumer->wait(second)) << "there is an epoch to go on to";
  EXPECT_EQ(poll(), Seqs{});
  EXPECT_FALSE(consumer->wait(2 * ms));
  ASSERT_EQ(publish(0), PublishStatus::ok);
  EXPECT_TRUE(consumer->wait(second));
  EXPECT_EQ(poll(), Seqs{0});
}

// A sequence that was given up stays in progress for ever; the frame behind it wakes who waits for it.
TEST_F(ConsumerWait, IsNotHeldByASequenceThatWasGivenUp) {
  attach({.wake_consumers = true});
  static_cast<void>(claim());
  EXPECT_FALSE(consumer->wait(2 * ms));
  std::thread producing([&] { EXPECT_EQ(publish(1), PublishStatus::ok); });
  EXPECT_TRUE(consumer->wait(60 * second));
  producing.join();
  EXPECT_EQ(poll(), Seqs{1});
}

// Descriptors that never come (dropped, or not sent to this consumer) cost a turn each, not a busy loop.
TEST_F(ConsumerWait, SleepsAgainBehindFramesOfWhichItWasNotTold) {
  attach({.wake_consumers = true});
  transport::loopback::drop_next(bus_, 1100, 3);
  for (std::uint64_t seq = 0; seq < 3; ++seq) static_cast<void>(publish(seq));
  int false_alarms = 0;
  while (consumer->wait(20 * ms)) {
    ASSERT_LE(++false_alarms, 3);
    EXPECT_EQ(poll(), Seqs{});
  }
  EXPECT_EQ(publish(3), PublishStatus::ok);
  EXPECT_TRUE(consumer->wait(second));
  EXPECT_EQ(poll(), Seqs{3});
}

class ConsumerWaitRace : public ConsumerWait, public testing::WithParamInterface<bool> {};

TEST_P(ConsumerWaitRace, NoFrameIsMissed) {
  constexpr std::uint64_t frames = 2000;
  attach({.wake_consumers = GetParam()});
  std::atomic<std::uint64_t> taken{0};
  std::thread producing([&] {
    for (std::uint64_t seq = 0; seq < frames; ++seq) {
      static_cast<void>(publish(seq));
      // One at a time, so that none is lost; the last ones meet the consumer in all its steps.
      while (taken.load(std::memory_order_relaxed) <= seq) std::this_thread::yield();
    }
  });
  std::uint64_t timed_out = 0;
  while (taken < frames && timed_out == 0) {
    timed_out += consumer->wait(60 * second) ? 0 : 1;
    taken += static_cast<std::uint64_t>(consumer->poll([](const Frame&) {}));
  }
  taken = frames;
  producing.join();
  EXPECT_EQ(timed_out, 0u);
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Of, ConsumerWaitRace, testing::Bool(),
                         [](const auto& made) { return made.param ? "AProducerThatWakes" : "AProducerThatDoesNot"; });

}  // namespace
}  // namespace tensorpool::detail
