#include "client/backoff.hpp"

#include <gtest/gtest.h>

namespace tensorpool::detail {
namespace {

TEST(Backoff, DoublesToItsLimitAndDrawsFromTheUpperHalf) {
  Backoff backoff(100, 800);
  for (const Nanos bound : {100, 200, 400, 800, 800}) {
    const Nanos delay = backoff.next(0x123456789);
    EXPECT_GE(delay, bound / 2);
    EXPECT_LT(delay, bound);
  }
  backoff.reset();
  EXPECT_LT(backoff.next(7), 100);
}

}  // namespace
}  // namespace tensorpool::detail
