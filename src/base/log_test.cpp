#include "base/log.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tensorpool {
namespace {

struct Captured {
  std::vector<std::string> lines;
  Log log{[this](LogLevel, std::string_view line) { lines.emplace_back(line); }};
};

TEST(Log, LimitsWhatAPeerCanProvokeAndSaysHowMuchItHeldBack) {
  Captured c;
  for (int i = 0; i < 1000; ++i) c.log.limited(1 + i, "garbage", LogLevel::warning, "bad message {}", i);
  c.log.limited(2 * nanos_per_second, "garbage", LogLevel::warning, "bad message again");
  ASSERT_EQ(c.lines.size(), 2U);
  EXPECT_EQ(c.lines[0], "bad message 0");
  EXPECT_EQ(c.lines[1], "bad message again (999 more like this were not logged)");
}

TEST(Log, LetsAsManyLinesThroughASecondAsTheGateSays) {
  Captured c;
  for (int i = 0; i < 1000; ++i) c.log.limited(1 + i, {"coming and going", 50}, LogLevel::info, "client {}", i);
  EXPECT_EQ(c.lines.size(), 50U);
  c.log.limited(2 * nanos_per_second, {"coming and going", 50}, LogLevel::info, "again");
  EXPECT_EQ(c.lines.back(), "again (950 more like this were not logged)");
}

TEST(Log, KeepsABoundedNumberOfKeys) {
  Captured c;
  for (int i = 0; i < 10'000; ++i) c.log.limited(1, std::to_string(i).c_str(), LogLevel::warning, "x");
  EXPECT_LE(c.lines.size(), 65U);
}

TEST(Log, EscapesForeignText) {
  EXPECT_EQ(escape("a\n\x1b[31m\\b"), "a\\x0a\\x1b[31m\\x5cb");
  EXPECT_EQ(escape("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace tensorpool
