#include "apps/support/redrawn_lines.hpp"

#include <gtest/gtest.h>

namespace tensorpool::apps {
namespace {

TEST(RedrawnLines, AreCutToTheTerminalsWidth) {
  EXPECT_EQ(cut_to("stream 1001", 6), "stream");
  EXPECT_EQ(cut_to("stream", 6), "stream");
  EXPECT_EQ(cut_to("stream 1001", 0), "stream 1001") << "a terminal that does not say";
}

}  // namespace
}  // namespace tensorpool::apps
