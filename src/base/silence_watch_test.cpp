#include "base/silence_watch.hpp"

#include <gtest/gtest.h>

namespace tensorpool {
namespace {

using Change = SilenceWatch::Change;

constexpr Nanos timeout = 5 * nanos_per_second;

TEST(SilenceWatch, ReportsASilenceOnceAndItsEnd) {
  SilenceWatch watch(timeout);
  const Nanos start = 1000 * nanos_per_second;
  EXPECT_EQ(watch.look(true, start), Change::none);
  EXPECT_EQ(watch.look(false, start + timeout - 1), Change::none);
  EXPECT_EQ(watch.look(false, start + timeout), Change::silent);
  EXPECT_TRUE(watch.silent());
  EXPECT_EQ(watch.look(false, start + 3 * timeout), Change::none);
  EXPECT_EQ(watch.silent_ns(start + 3 * timeout), 3 * timeout);
  EXPECT_EQ(watch.look(true, start + 4 * timeout), Change::resumed);
  EXPECT_EQ(watch.look(true, start + 4 * timeout), Change::none);
  EXPECT_EQ(watch.silent_ns(start + 4 * timeout), 0);
}

TEST(SilenceWatch, CountsFromTheFirstLookWhereNoFrameEverCame) {
  SilenceWatch watch(timeout);
  EXPECT_EQ(watch.silent_ns(nanos_per_second), 0);
  EXPECT_EQ(watch.look(false, nanos_per_second), Change::none);
  EXPECT_EQ(watch.look(false, nanos_per_second + timeout), Change::silent);
}

TEST(SilenceWatch, DoesNotCountTheTimeBeforeARestart) {
  SilenceWatch watch(timeout);
  watch.look(true, 0);
  watch.restart(4 * nanos_per_second);
  EXPECT_EQ(watch.look(false, 8 * nanos_per_second), Change::none);
  EXPECT_EQ(watch.look(false, 9 * nanos_per_second), Change::silent);
  watch.restart(20 * nanos_per_second);
  EXPECT_TRUE(watch.silent()) << "no frame came";
  EXPECT_EQ(watch.look(true, 21 * nanos_per_second), Change::resumed);
}

TEST(SilenceWatch, ForgetsASilenceAtAReset) {
  SilenceWatch watch(timeout);
  watch.look(true, 0);
  EXPECT_EQ(watch.look(false, timeout), Change::silent);
  watch.reset();
  EXPECT_EQ(watch.look(true, 2 * timeout), Change::none);
}

TEST(SilenceWatch, NeverReportsWithTimeoutZero) {
  SilenceWatch watch(0);
  watch.look(true, 0);
  EXPECT_EQ(watch.look(false, 3600 * nanos_per_second), Change::none);
}

}  // namespace
}  // namespace tensorpool
