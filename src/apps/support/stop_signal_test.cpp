#include "apps/support/stop_signal.hpp"

#include <gtest/gtest.h>

namespace tensorpool::apps {
namespace {

TEST(StopRequests, WithinASecondOfTheFirstAreTheSameRequest) {
  StopRequests requests;
  const Nanos first = 7 * nanos_per_second;
  EXPECT_FALSE(requests.forces_end(first));
  EXPECT_FALSE(requests.forces_end(first));
  EXPECT_FALSE(requests.forces_end(first + 20 * nanos_per_milli));
  EXPECT_FALSE(requests.forces_end(first + nanos_per_second));
}

TEST(StopRequests, ForceTheEndLaterThanThat) {
  StopRequests requests;
  EXPECT_FALSE(requests.forces_end(0));
  EXPECT_FALSE(requests.forces_end(900 * nanos_per_milli));
  EXPECT_TRUE(requests.forces_end(nanos_per_second + 1)) << "the second counts from the first request";
}

}  // namespace
}  // namespace tensorpool::apps
