#include "apps/support/redrawn_lines.hpp"

#include <gtest/gtest.h>

namespace tensorpool::apps {
namespace {

TEST(RedrawnLines, AreCutToTheTerminalsWidth) {
  EXPECT_EQ(cut_to("stream 1001", 6), "stream");
  EXPECT_EQ(cut_to("stream", 6), "stream");
  EXPECT_EQ(cut_to("stream 1001", 0), "stream 1001") << "a terminal that does not say";
}

TEST(RedrawnLines, BeginWhereTheyStood) {
  EXPECT_EQ(redrawn({{"a"}, {"b"}}, {80, 24}, 2, false), "\x1b[2A\x1b[2Ka\n\x1b[2Kb\n\x1b[J");
  EXPECT_EQ(redrawn({{"a"}}, {0, 0}, 0, false), "\x1b[2Ka\n\x1b[J");
}

TEST(RedrawnLines, LeaveOutWhatIsHigherThanTheTerminalAndCountIt) {
  EXPECT_EQ(redrawn({{"a"}, {"b"}, {"c"}}, {80, 3}, 0, false), "\x1b[2Ka\n\x1b[2K2 more lines\n\x1b[J");
  EXPECT_EQ(redrawn({{"a"}, {"b"}}, {80, 3}, 0, false), "\x1b[2Ka\n\x1b[2Kb\n\x1b[J");
}

TEST(RedrawnLines, AreColoredAfterTheyAreCut) {
  EXPECT_EQ(redrawn({{"gone away", LineStyle::error}}, {4, 24}, 0, true), "\x1b[2K\x1b[31mgone\x1b[0m\n\x1b[J");
  EXPECT_EQ(redrawn({{"gone", LineStyle::error}}, {80, 24}, 0, false), "\x1b[2Kgone\n\x1b[J");
}

}  // namespace
}  // namespace tensorpool::apps
