#include "client/rate_gate.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

// Offers a frame and lets it pass if it may.
bool offer(RateGate& gate, Nanos timestamp_ns) {
  if (!gate.opens_at(timestamp_ns)) return false;
  gate.pass(timestamp_ns);
  return true;
}

int passed(RateGate& gate, Nanos from, Nanos step, int frames) {
  int count = 0;
  for (int i = 0; i < frames; ++i) count += offer(gate, from + i * step) ? 1 : 0;
  return count;
}

TEST(RateGate, LetsEverythingThroughWithoutALimit) {
  RateGate gate;
  EXPECT_FALSE(gate.limits());
  EXPECT_EQ(passed(gate, 0, 1, 100), 100);
}

TEST(RateGate, HoldsTheRateOnAverageWhateverTheFramesOwnRateIs) {
  for (const std::uint32_t rate : {1U, 7U, 30U, 60U, 99U, 100U}) {
    RateGate gate(rate);
    const int count = passed(gate, 5 * second, 10 * ms, 1000);  // 100 Hz for 10 s
    EXPECT_LE(count, static_cast<int>(10 * rate) + 1) << rate;
    EXPECT_GE(count, static_cast<int>(10 * rate) - 1) << rate;
  }
}

TEST(RateGate, LetsASlowerStreamThroughWhole) {
  RateGate gate(100);
  EXPECT_EQ(passed(gate, 0, 11 * ms, 500), 500);
}

TEST(RateGate, SavesNoMoreThanOneFrameWhileNothingComes) {
  RateGate gate(10);
  EXPECT_TRUE(offer(gate, 0));
  EXPECT_EQ(passed(gate, 10 * second, ms, 90), 2);  // of a burst after a long pause
}

TEST(RateGate, SpendsBudgetOnlyByWhatPassed) {
  RateGate gate(10);
  EXPECT_TRUE(offer(gate, 0));
  EXPECT_TRUE(gate.opens_at(100 * ms));
  EXPECT_TRUE(gate.opens_at(101 * ms));  // the one before was lost and never passed
  gate.pass(101 * ms);
  EXPECT_FALSE(gate.opens_at(102 * ms));
}

TEST(RateGate, IsNotOpenedByTimeThatGoesBackwards) {
  RateGate gate(10);
  EXPECT_TRUE(offer(gate, 100 * second));
  EXPECT_FALSE(offer(gate, 100 * second - ms));
  EXPECT_FALSE(offer(gate, 50 * second));
  EXPECT_FALSE(offer(gate, 0));
  EXPECT_FALSE(offer(gate, std::numeric_limits<Nanos>::min()));
  EXPECT_TRUE(offer(gate, 100 * second + 100 * ms));
}

// Two cameras with different clocks on one stream, or a stamp now and then that is wrong, must not double the rate.
TEST(RateGate, IsNotOpenedByFramesFromThePastThatComeNowAndThen) {
  RateGate gate(10);
  int count = 0;
  for (int i = 0; i < 100; ++i) {
    count += offer(gate, 100 * second + i * 10 * ms) ? 1 : 0;
    count += offer(gate, 5 * second + i * 10 * ms) ? 1 : 0;
  }
  EXPECT_LE(count, 11);
}

TEST(RateGate, FollowsAClockThatWasSetBackForGood) {
  RateGate gate(10);
  EXPECT_TRUE(offer(gate, 1000 * second));
  const int count = passed(gate, 10 * second, 10 * ms, 500);
  EXPECT_GE(count, 45);
  EXPECT_LE(count, 50);
}

TEST(RateGate, SurvivesTimesAtTheEndOfTime) {
  RateGate gate(1);
  EXPECT_TRUE(offer(gate, std::numeric_limits<Nanos>::max()));
  EXPECT_TRUE(gate.opens_at(std::numeric_limits<Nanos>::max()));
  EXPECT_FALSE(offer(gate, std::numeric_limits<Nanos>::min()));
}

// The producer paces a consumer's own stream, and the consumer, who cannot know that it does, paces again.
TEST(RateGate, HoldsNothingBackBehindAnotherOneWhenItStartsFull) {
  std::minstd_rand random(7);
  for (int round = 0; round < 200; ++round) {
    const auto rate = 1 + static_cast<std::uint32_t>(random() % 200);
    RateGate upstream(rate);
    RateGate downstream(rate);
    downstream.restart(RateGate::Budget::full);
    const auto joins_at = static_cast<int>(random() % 100);
    Nanos now = static_cast<Nanos>(random());
    for (int i = 0; i < 500; ++i) {
      now += static_cast<Nanos>(random() % (20 * ms));
      if (!offer(upstream, now) || i < joins_at || random() % 10 == 0) continue;  // some are lost on the way
      EXPECT_TRUE(offer(downstream, now)) << "rate " << rate << ", frame " << i;
    }
  }
}

TEST(RateGate, StartsAnewWithANewRate) {
  RateGate gate(1);
  EXPECT_TRUE(offer(gate, 0));
  gate.set_rate(1);
  EXPECT_FALSE(offer(gate, ms));
  gate.set_rate(100);
  EXPECT_TRUE(offer(gate, 2 * ms));
  EXPECT_FALSE(offer(gate, 3 * ms));
  gate.set_rate(0);
  EXPECT_TRUE(offer(gate, 3 * ms));
}

}  // namespace
}  // namespace tensorpool::detail
