#include "tensorpool/idle.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>

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

}  // namespace
}  // namespace tensorpool
