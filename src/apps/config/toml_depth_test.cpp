#include "apps/config/toml_depth.hpp"

#include <gtest/gtest.h>

#include <string>

#include "apps/config/value.hpp"

namespace tensorpool::apps {
namespace {

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}
std::string dotted(int levels) { return repeated("a.", levels - 1) + "a"; }

TEST(TomlDepth, CountsThePartsOfAKey) {
  EXPECT_EQ(line_nested_deeper_than("# x\n" + dotted(4) + " = 1\n", 4), std::nullopt);
  EXPECT_EQ(line_nested_deeper_than("# x\n" + dotted(5) + " = 1\n", 4), 2);
  EXPECT_EQ(line_nested_deeper_than("\n\n'a' . \"b\" .c. d . e = 1", 4), 3);
}

TEST(TomlDepth, CountsArraysAndInlineTablesWithTheirKeys) {
  EXPECT_EQ(line_nested_deeper_than("a = [[[1]]]", 4), std::nullopt);
  EXPECT_EQ(line_nested_deeper_than("a = [[[[1]]]]", 4), 1);
  EXPECT_EQ(line_nested_deeper_than("a.b = { c.d = { e = 1 } }", 4), 1);
  EXPECT_EQ(line_nested_deeper_than("a = [\n[\n[\n[\n]]]]", 4), 4);
}

TEST(TomlDepth, CountsOnlyWhatNests) {
  const std::string many = repeated("1.5, ", 1000);
  EXPECT_EQ(line_nested_deeper_than("a = [" + many + "]\nb = {c = 1, d = 2.5}\n", 4), std::nullopt);
  EXPECT_EQ(line_nested_deeper_than(repeated("[a.b]\nc = [1]\n", 100), 4), std::nullopt);
  const std::string dots(200, '.');
  for (const std::string& text :
       {"# " + dots + "[[[[[", "a = \"" + dots + "[[[[[ \\\" " + dots + "\"", "a = '" + dots + "\\'",
        "a = \"\"\"\n" + dots + "\n\"\" [[[[[ \\\"\"\" " + dots + "\"\"\"\"\"", "a = '''\n" + dots + "'' [[[[[ ''''",
        "a = \"\" # " + dots}) {
    EXPECT_EQ(line_nested_deeper_than(text + "\nb = 1\n", 4), std::nullopt) << text;
    EXPECT_EQ(line_nested_deeper_than(text + "\n" + dotted(5) + " = 1", 4).has_value(), true) << text;
  }
}

TEST(TomlDepth, SurvivesWhatIsNoToml) {
  for (const char* text : {"", "\"", "'''", "\"\"\"\\", "]]]}}}", "a = \"\\", "[", "#"}) {
    EXPECT_EQ(line_nested_deeper_than(text, 4), std::nullopt) << text;
  }
}

TEST(Toml, ThatNestsWithoutEndIsRefusedWithItsLine) {
  const std::string deep = dotted(20'000);
  for (const std::string& text :
       {deep + " = 1", "[" + deep + "]", "[[" + deep + "]]", "x = " + std::string(20'000, '['),
        "x = " + repeated("[", 20'000) + repeated("]", 20'000), "x = " + repeated("{a=", 20'000),
        "x = " + repeated("{a.a.a=", 60) + "1" + repeated("}", 60), "[\"" + repeated("a\".\"", 20'000) + "a\"]"}) {
    const auto value = parse_toml("[t]\n" + text + "\n", "x.toml");
    ASSERT_FALSE(value) << text.substr(0, 40);
    EXPECT_EQ(value.error().message, "x.toml:2: nested more than 64 levels deep; no key of a configuration is");
  }
}

TEST(Toml, ThatNestsAsDeepAsIsAllowedIsRead) {
  const std::string deep = dotted(64);
  for (const std::string& text :
       {"[" + dotted(63) + "]\n" + deep + " = 1", "[[" + dotted(62) + "]]\n[" + dotted(63) + "]",
        "x = " + repeated("[", 63) + repeated("]", 63)}) {
    EXPECT_TRUE(parse_toml(text, "x.toml")) << parse_toml(text, "x.toml").error().message;
  }
}

}  // namespace
}  // namespace tensorpool::apps
