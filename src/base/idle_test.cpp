#include "tensorpool/idle.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <algorithm>
#include <thread>

namespace tensorpool {
namespace {

int slack_after(IdleMode mode) {
  int slack = 0;
  std::thread thread([&] {  // the slack is a thread's own
    Idle idle(mode, 1);
    for (int i = 0; i < 100; ++i) idle.idle(0);
    slack = ::prctl(PR_GET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL);
  });
  thread.join();
  return slack;
}

TEST(Idle, NapsWithoutTimerSlack) {
  EXPECT_EQ(slack_after(IdleMode::sleep), 1);
  EXPECT_EQ(slack_after(IdleMode::backoff), 1);
}

TEST(Idle, LeavesTheThreadAsItIsWhereItNeverNaps) {
  const int usual = ::prctl(PR_GET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL);
  EXPECT_EQ(slack_after(IdleMode::spin), usual);
  EXPECT_EQ(slack_after(IdleMode::yield), usual);
}

// How long `count` idle rounds take. No nap is shorter than it says.
Nanos time_of(Idle& idle, int count) {
  const Nanos begun = monotonic_now();
  for (int i = 0; i < count; ++i) idle.idle(0);
  return monotonic_now() - begun;
}

TEST(Idle, NapsTwiceAsLongEachTimeUpToTheLongest) {
  Idle idle(IdleMode::sleep, nanos_per_milli, 5 * nanos_per_milli);
  EXPECT_GE(time_of(idle, 5), (1 + 2 + 4 + 5 + 5) * nanos_per_milli);
}

TEST(Idle, BeginsWithTheShortestNapAfterWork) {
  Nanos shortest = nanos_per_second;  // of tries, for the machine may hold one up
  for (int i = 0; i < 10 && shortest >= 16 * nanos_per_milli; ++i) {
    Idle idle(IdleMode::sleep, nanos_per_micro, 16 * nanos_per_milli);
    (void)time_of(idle, 15);
    idle.idle(1);
    shortest = std::min(shortest, time_of(idle, 1));
  }
  EXPECT_LT(shortest, 16 * nanos_per_milli);
}

TEST(Idle, BacksOffUpToTheLongestNap) {
  Idle idle(IdleMode::backoff, 2 * nanos_per_milli);
  (void)time_of(idle, 30 + 12);  // spins, yields, naps up to it
  EXPECT_GE(time_of(idle, 3), 3 * 2 * nanos_per_milli);
}

}  // namespace
}  // namespace tensorpool
