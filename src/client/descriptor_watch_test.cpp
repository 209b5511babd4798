#include "client/descriptor_watch.hpp"

#include <gtest/gtest.h>

#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

class DescriptorWatchTest : public testing::Test {
 protected:
  // A frame every 10 ms for so long; how often a stall was told.
  int flow(Nanos duration, bool dropped) {
    int told = 0;
    for (const Nanos end = now_ + duration; now_ < end; now_ += 10 * ms) {
      ++published_;
      dropped_ += dropped ? 1 : 0;
      told += watch_.see(published_, dropped_, now_) ? 1 : 0;
    }
    return told;
  }
  int rest(Nanos duration) {
    int told = 0;
    for (const Nanos end = now_ + duration; now_ < end; now_ += 10 * ms) {
      told += watch_.see(published_, dropped_, now_) ? 1 : 0;
    }
    return told;
  }

  DescriptorWatch watch_;
  std::uint64_t published_ = 0;
  std::uint64_t dropped_ = 0;
  Nanos now_ = 50 * second;
};

TEST_F(DescriptorWatchTest, TellsAStallOnceAfterASecond) {
  EXPECT_EQ(flow(5 * second, false), 0);
  EXPECT_EQ(flow(second, true), 0);
  EXPECT_EQ(flow(20 * ms, true), 1);
  EXPECT_EQ(flow(100 * second, true), 0);
}

TEST_F(DescriptorWatchTest, TellsTheNextStallAfterAFullRecovery) {
  EXPECT_EQ(flow(2 * second, true), 1);
  EXPECT_EQ(flow(500 * ms, false), 0);
  EXPECT_EQ(flow(2 * second, true), 0) << "it had not recovered";
  EXPECT_EQ(flow(2 * second, false), 0);
  EXPECT_EQ(flow(2 * second, true), 1);
}

TEST_F(DescriptorWatchTest, TellsNothingOfSingleDropsAndOfARest) {
  for (int i = 0; i < 50; ++i) EXPECT_EQ(flow(100 * ms, true) + flow(10 * ms, false), 0);
  EXPECT_EQ(flow(100 * ms, true), 0);
  EXPECT_EQ(rest(10 * second), 0) << "nothing was dropped meanwhile";
}

TEST_F(DescriptorWatchTest, TellsOfASlowCameraToo) {
  int told = 0;
  for (int i = 0; i < 3; ++i) told += flow(10 * ms, true) + rest(second);
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace tensorpool::detail
