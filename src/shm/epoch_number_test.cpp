#include "shm/epoch_number.hpp"

#include <gtest/gtest.h>

namespace tensorpool::shm {
namespace {

TEST(EpochNumber, GrowsThoughTheClockStepsBack) {
  EXPECT_EQ(next_epoch(0, 0, 500), 500U);
  EXPECT_EQ(next_epoch(500, 500, 20), 501U);
  EXPECT_EQ(next_epoch(0, 900, 20), 901U);
  EXPECT_EQ(next_epoch(0, 0, -1), 1U);
}

}  // namespace
}  // namespace tensorpool::shm
