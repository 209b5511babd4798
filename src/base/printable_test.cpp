#include "base/printable.hpp"

#include <gtest/gtest.h>

namespace tensorpool {
namespace {

TEST(Printable, KeepsOrdinaryTextOfAnyLanguage) {
  for (const char* text :
       {"", "stream 1001: 30.0 Hz\nnext line\tafter a tab", "müller 50 µs", "相机", "\xF0\x9F\x93\xB7"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, WritesControlCharactersAsNumbers) {
  EXPECT_EQ(printable("a\x1b[2Jb\rc\x07"), "a\\x1b[2Jb\\x0dc\\x07");
  EXPECT_EQ(printable(std::string_view("a\0b\x7f", 4)), "a\\x00b\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\\xc2\\x9b31m")
      << "the control sequence introducer of 8 bits";
}

TEST(Printable, KeepsLineFeedsOnlyWhereThereMayBeManyLines) {
  EXPECT_EQ(printable("a\nb", Lines::many), "a\nb");
  EXPECT_EQ(printable("a\nb", Lines::one), "a\\x0ab");
}

TEST(Printable, WritesWhatReordersOrHidesTextAsNumbers) {
  EXPECT_EQ(printable("\u202Egpj.exe"), "\\xe2\\x80\\xaegpj.exe");
  for (const char* text : {"\u202A", "\u202E", "\u2066", "\u2069", "\u200B", "\u200E", "\u200F", "\u2028", "\u2029",
                           "\u061C", "\uFEFF", "\U000E0041"}) {
    EXPECT_EQ(printable(text).substr(0, 2), "\\x");
  }
}

TEST(Printable, WritesInvalidUtf8AsNumbers) {
  EXPECT_EQ(printable("a\xFF"
                      "b"),
            "a\\xffb");
  EXPECT_EQ(printable("\xC3("), "\\xc3(") << "cut";
  EXPECT_EQ(printable("\xE2\x82"), "\\xe2\\x82") << "cut at the end";
  EXPECT_EQ(printable("\xC0\xAF"), "\\xc0\\xaf") << "too long a spelling";
  EXPECT_EQ(printable("\xE0\x80\x9B"), "\\xe0\\x80\\x9b") << "too long a spelling";
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xed\\xa0\\x80") << "half of a surrogate pair";
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond Unicode";
  EXPECT_EQ(printable("\xF5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80");
}

}  // namespace
}  // namespace tensorpool
