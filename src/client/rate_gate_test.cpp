#include "client/rate_gate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <ostream>
#include <random>

#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

// Offers a frame and lets it pass if it may.
bool offer(RateGate& gate, Nanos stamp, Nanos now) {
  if (!gate.opens_at(stamp, now)) return false;
  gate.pass();
  return true;
}
// The same where all is looked at at once, so that only the stamps advance.
bool offer(RateGate& gate, Nanos stamp) { return offer(gate, stamp, 77 * second); }

int passed(RateGate& gate, Nanos from, Nanos step, int frames) {
  int count = 0;
  for (int i = 0; i < frames; ++i) count += offer(gate, from + i * step) ? 1 : 0;
  return count;
}

RateGate at_rate(double hz) { return RateGate(interval_of_rate(hz)); }

// How many of ten seconds of a 100 Hz stream pass, whose i-th frame is stamped stamp(i).
template <class Stamp>
int passed_in_ten_seconds(RateGate& gate, Stamp&& stamp, Nanos from = 77 * second) {
  int count = 0;
  for (int i = 0; i < 1000; ++i) count += offer(gate, stamp(i), from + i * 10 * ms) ? 1 : 0;
  return count;
}

TEST(RateGate, HoldsARateOfLessThanOneFrameASecond) {
  RateGate gate = at_rate(0.1);
  EXPECT_EQ(passed(gate, 5 * second, second / 2, 200), 10);  // 2 Hz for 100 s
}

TEST(RateGate, SurvivesTheSmallestRate) {
  RateGate gate = at_rate(std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(passed(gate, 0, 1000 * second, 100), 1);
}

TEST(RateGate, LetsEverythingThroughWithoutALimit) {
  RateGate gate;
  EXPECT_FALSE(gate.limits());
  EXPECT_EQ(passed(gate, 0, 1, 100), 100);
}

TEST(RateGate, HoldsTheRateOnAverageWhateverTheFramesOwnRateIs) {
  for (const std::uint32_t rate : {1U, 7U, 30U, 60U, 99U, 100U}) {
    RateGate gate = at_rate(rate);
    const int count = passed(gate, 5 * second, 10 * ms, 1000);  // 100 Hz for 10 s
    EXPECT_LE(count, static_cast<int>(10 * rate) + 1) << rate;
    EXPECT_GE(count, static_cast<int>(10 * rate) - 1) << rate;
  }
}

TEST(RateGate, HoldsRatesOfLessThanOneFrameASecond) {
  RateGate gate(10 * second);
  EXPECT_EQ(passed(gate, 5 * second, second, 100), 10);
  EXPECT_NEAR(passed_in_ten_seconds(gate, [](int) { return 5 * second; }), 1, 1);
  RateGate slowest(std::numeric_limits<Nanos>::max());
  EXPECT_EQ(passed(slowest, 5 * second, second, 100), 1);
}

TEST(RateGate, LetsASlowerStreamThroughWhole) {
  RateGate gate = at_rate(100);
  EXPECT_EQ(passed(gate, 1, 11 * ms, 500), 500);
}

TEST(RateGate, SavesNoMoreThanOneFrameWhileNothingComes) {
  RateGate gate = at_rate(10);
  EXPECT_TRUE(offer(gate, second));
  EXPECT_EQ(passed(gate, 11 * second, ms, 90), 2);  // of a burst after a long pause
}

TEST(RateGate, SpendsBudgetOnlyByWhatPassed) {
  RateGate gate = at_rate(10);
  EXPECT_TRUE(offer(gate, second));
  EXPECT_TRUE(gate.opens_at(second + 100 * ms, 0));
  EXPECT_TRUE(gate.opens_at(second + 101 * ms, 0));  // the one before was lost and never passed
  gate.pass();
  EXPECT_FALSE(gate.opens_at(second + 102 * ms, 0));
}

TEST(RateGate, IsNotOpenedByTimeThatGoesBackwards) {
  RateGate gate = at_rate(10);
  EXPECT_TRUE(offer(gate, 100 * second));
  EXPECT_FALSE(offer(gate, 100 * second - ms));
  EXPECT_FALSE(offer(gate, 50 * second));
  EXPECT_FALSE(offer(gate, 0));
  EXPECT_FALSE(offer(gate, std::numeric_limits<Nanos>::min()));
  EXPECT_TRUE(offer(gate, 100 * second + 100 * ms));
}

// --- Stamps that are no clock: the gate goes by the clock, and holds the rate both ways ---

struct BadStamps {
  const char* name;
  Nanos (*stamp)(int frame);
};
void PrintTo(const BadStamps& made, std::ostream* out) { *out << made.name; }

constexpr Nanos day = 86'400 * second;
constexpr Nanos year = 365 * day;
Nanos regular(int frame) { return 500 * second + frame * 10 * ms; }

class RateGateWithBadStamps : public testing::TestWithParam<BadStamps> {};

TEST_P(RateGateWithBadStamps, HoldsTheRateByTheClock) {
  for (const std::uint32_t rate : {1U, 10U, 50U}) {
    RateGate gate = at_rate(rate);
    const int wanted = static_cast<int>(10 * rate);
    const int count = passed_in_ten_seconds(gate, GetParam().stamp);
    EXPECT_LE(count, wanted + 2) << rate << " Hz";
    // Stamps that advance too slowly are watched for a second before they are mistrusted.
    EXPECT_GE(count, wanted - wanted / 8 - 1) << rate << " Hz";
  }
}

TEST_P(RateGateWithBadStamps, FollowsTheStampsOnceTheyBehave) {
  RateGate gate = at_rate(10);
  passed_in_ten_seconds(gate, GetParam().stamp);
  passed_in_ten_seconds(
      gate, [](int i) { return 3 * day + i * 10 * ms; }, 87 * second);
  EXPECT_NEAR(passed(gate, 3 * day + 10 * second, 10 * ms, 1000), 100, 2) << "of a backlog that is read at once";
}

INSTANTIATE_TEST_SUITE_P(
    Of, RateGateWithBadStamps,
    testing::Values(
        BadStamps{"None", [](int) { return Nanos{0}; }}, BadStamps{"StandingStill", [](int) { return 500 * second; }},
        BadStamps{"StandingAtTheEndOfTime", [](int) { return std::numeric_limits<Nanos>::max(); }},
        BadStamps{"StandingAtTheStartOfTime", [](int) { return std::numeric_limits<Nanos>::min(); }},
        BadStamps{"GoingBackwards", [](int i) { return 500 * second - i * 10 * ms; }},
        BadStamps{"SetBackOnce", [](int i) { return regular(i) - (i > 300 ? 30 * second : 0); }},
        BadStamps{"SetBackByAYear", [](int i) { return regular(i) + (i > 300 ? 0 : year); }},
        BadStamps{"SetAheadByAYear", [](int i) { return regular(i) + (i > 300 ? year : 0); }},
        BadStamps{"OnceAYearAhead", [](int i) { return i == 300 ? regular(i) + year : regular(i); }},
        BadStamps{"FirstAYearAhead", [](int i) { return i == 0 ? regular(i) + year : regular(i); }},
        BadStamps{"OnceAtTheEndOfTime",
                  [](int i) { return i == 300 ? std::numeric_limits<Nanos>::max() : regular(i); }},
        BadStamps{"OnceNegative", [](int i) { return i == 300 ? -regular(i) : regular(i); }},
        BadStamps{"OftenAYearAhead", [](int i) { return i % 7 == 3 ? regular(i) + year : regular(i); }},
        BadStamps{"SometimesNone", [](int i) { return i % 3 == 0 ? regular(i) : 0; }},
        BadStamps{"OfTwoClocks", [](int i) { return i % 2 == 0 ? regular(i) : regular(i) - 95 * second; }},
        BadStamps{"OfTwoCloseClocks", [](int i) { return i % 2 == 0 ? regular(i) : regular(i) - 5 * second; }},
        BadStamps{"InWholeSeconds", [](int i) { return regular(i) / second * second; }},
        BadStamps{"InMicroseconds", [](int i) { return regular(i) / 1000; }},
        BadStamps{"InMilliseconds", [](int i) { return regular(i) / ms; }},
        BadStamps{"CountingFrames", [](int i) { return Nanos{1} + i; }},
        BadStamps{"AtRandom",
                  [](int i) {
                    auto random = std::minstd_rand(static_cast<std::uint32_t>(i) + 1);
                    random.discard(5);
                    return static_cast<Nanos>((std::uint64_t{random()} << 33) ^ (std::uint64_t{random()} << 2));
                  }}),
    [](const auto& made) { return made.param.name; });

// A stamp now and then that lies in the past must not open the gate twice.
TEST(RateGate, IsNotOpenedByFramesFromThePastThatComeNowAndThen) {
  RateGate gate = at_rate(10);
  int count = 0;
  for (int i = 0; i < 100; ++i) {
    count += offer(gate, 100 * second + i * 10 * ms) ? 1 : 0;
    count += offer(gate, 5 * second + i * 10 * ms) ? 1 : 0;
  }
  EXPECT_LE(count, 11);
}

TEST(RateGate, GoesByTheStampsOfAReplayThatIsFasterThanTheClock) {
  RateGate gate = at_rate(10);
  int count = 0;
  for (int i = 0; i < 1000; ++i) count += offer(gate, second + i * 10 * ms, i * ms) ? 1 : 0;
  EXPECT_EQ(count, 100);
}

// A reader that stopped for a while finds frames whose stamps are behind the clock; they are a backlog, not slow.
TEST(RateGate, GoesByTheStampsOfABacklog) {
  RateGate gate = at_rate(10);
  int count = 0;
  Nanos now = second;
  for (int i = 0; i < 2000; ++i) {
    const Nanos stamp = second + i * 10 * ms;
    if (i == 505) now += 10 * second;
    now = std::max(now, stamp);
    count += offer(gate, stamp, now) ? 1 : 0;
  }
  EXPECT_EQ(count, 200);
}

TEST(RateGate, SurvivesTimesAtTheEndOfTime) {
  RateGate gate = at_rate(1);
  EXPECT_TRUE(offer(gate, std::numeric_limits<Nanos>::max()));
  EXPECT_FALSE(offer(gate, std::numeric_limits<Nanos>::max()));
  EXPECT_FALSE(offer(gate, std::numeric_limits<Nanos>::min()));
  EXPECT_TRUE(offer(gate, std::numeric_limits<Nanos>::min(), std::numeric_limits<Nanos>::max()));
}

// The producer paces a consumer's own stream, and the consumer, who cannot know that it does, paces again.
TEST(RateGate, HoldsNothingBackBehindAnotherOneWhenItStartsFull) {
  std::minstd_rand random(7);
  for (int round = 0; round < 200; ++round) {
    const auto rate = 1 + static_cast<std::uint32_t>(random() % 200);
    RateGate upstream = at_rate(rate);
    RateGate downstream = at_rate(rate);
    downstream.restart(RateGate::Budget::full);
    const auto joins_at = static_cast<int>(random() % 100);
    const bool stamped = round % 2 == 0;
    Nanos now = 1 + static_cast<Nanos>(random());
    for (int i = 0; i < 500; ++i) {
      now += static_cast<Nanos>(random() % (20 * ms));
      const Nanos stamp = stamped ? now : 0;
      if (!offer(upstream, stamp, now) || i < joins_at || random() % 10 == 0) continue;  // some are lost on the way
      EXPECT_TRUE(offer(downstream, stamp, now)) << "rate " << rate << ", frame " << i;
    }
  }
}

// Without stamps the two go by when each of them saw a frame.
TEST(RateGate, HoldsNothingBackBehindAnotherOneThatSawTheFramesABitEarlier) {
  std::minstd_rand random(7);
  RateGate upstream = at_rate(50);
  RateGate downstream = at_rate(50);
  downstream.restart(RateGate::Budget::full);
  for (Nanos now = second; now < 20 * second; now += 5 * ms) {
    if (!offer(upstream, 0, now)) continue;
    EXPECT_TRUE(offer(downstream, 0, now + static_cast<Nanos>(random() % (15 * ms)))) << now;
  }
}

TEST(RateGate, RestartsWithANewRate) {
  RateGate gate = at_rate(1);
  EXPECT_TRUE(offer(gate, second));
  gate.set_interval(interval_of_rate(1));
  EXPECT_FALSE(offer(gate, second + ms));
  gate.set_interval(interval_of_rate(100));
  EXPECT_TRUE(offer(gate, second + 2 * ms));
  EXPECT_FALSE(offer(gate, second + 3 * ms));
  gate.set_interval(0);
  EXPECT_TRUE(offer(gate, second + 3 * ms));
}

TEST(RateGate, TakesRatesBeyondItsResolutionForTheHighest) {
  EXPECT_EQ(interval_of_rate(0), 0);
  EXPECT_EQ(interval_of_rate(3), 333'333'333);
  EXPECT_EQ(interval_of_rate(std::numeric_limits<std::uint32_t>::max()), 1);
}

}  // namespace
}  // namespace tensorpool::detail
