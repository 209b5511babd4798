#include "apps/flow/latency_histogram.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace tensorpool::apps {
namespace {

TEST(LatencyHistogram, IsExactForSmallValues) {
  LatencyHistogram histogram;
  for (Nanos i = 1; i <= 100; ++i) histogram.record(i);
  EXPECT_EQ(histogram.count(), 100U);
  EXPECT_EQ(histogram.percentile(50), 50);
  EXPECT_EQ(histogram.percentile(99), 99);
  EXPECT_EQ(histogram.percentile(100), 100);
  EXPECT_EQ(histogram.percentile(0), 1);
}

TEST(LatencyHistogram, IsWithinTwoPercentForLargeValues) {
  for (const Nanos value : {1'000LL, 123'456LL, 5'000'000LL, 3'600'000'000'000LL}) {
    LatencyHistogram histogram;
    histogram.record(value);
    EXPECT_GE(histogram.percentile(50), value);
    EXPECT_LE(histogram.percentile(50), value + value / 60);
  }
}

TEST(LatencyHistogram, TakesEveryDuration) {
  LatencyHistogram histogram;
  histogram.record(-5);
  histogram.record(std::numeric_limits<Nanos>::max());
  EXPECT_EQ(histogram.percentile(50), 0);
  EXPECT_EQ(histogram.percentile(100), std::numeric_limits<Nanos>::max());
}

TEST(LatencyHistogram, TakesTheLatencySinceEveryTimeStamp) {
  constexpr Nanos first = std::numeric_limits<Nanos>::min();
  constexpr Nanos last = std::numeric_limits<Nanos>::max();
  EXPECT_EQ(latency_since(1'000, 3'000), 2'000);
  EXPECT_EQ(latency_since(3'000, 1'000), -2'000);
  EXPECT_EQ(latency_since(first, 3'000), last);
  EXPECT_EQ(latency_since(last, -3'000), first);
}

TEST(LatencyHistogram, AddsAndForgets) {
  LatencyHistogram one;
  LatencyHistogram other;
  one.record(10);
  other.record(20);
  one.add(other);
  EXPECT_EQ(one.count(), 2U);
  EXPECT_EQ(one.percentile(100), 20);
  one.reset();
  EXPECT_EQ(one.count(), 0U);
  EXPECT_EQ(one.percentile(50), 0);
}

}  // namespace
}  // namespace tensorpool::apps
