#include "apps/flow/pattern.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace tensorpool::apps {
namespace {

std::vector<std::byte> frame_of(std::uint64_t seq, std::size_t bytes, Pattern pattern) {
  std::vector<std::byte> frame(bytes);
  fill_pattern(frame, seq, pattern);
  return frame;
}

TEST(Pattern, IsRecognizedAtEveryLength) {
  for (std::size_t bytes = 0; bytes < 40; ++bytes) {
    EXPECT_FALSE(find_pattern_fault(frame_of(7, bytes, Pattern::words), 7)) << bytes;
    EXPECT_FALSE(find_pattern_fault(frame_of(7, bytes, Pattern::byte), 7)) << bytes;
  }
  EXPECT_FALSE(find_pattern_fault(frame_of(1'000'003, 655'361, Pattern::words), 1'000'003));
}

TEST(Pattern, OfAnotherSequenceIsAFaultFromTheStart) {
  EXPECT_EQ(find_pattern_fault(frame_of(7, 4096, Pattern::words), 8), 0U);
  EXPECT_EQ(find_pattern_fault(frame_of(7, 4096, Pattern::byte), 8), 0U);
}

TEST(Pattern, FindsOneWrongBitAnywhere) {
  for (const Pattern pattern : {Pattern::words, Pattern::byte}) {
    for (std::size_t at : {9U, 4095U, 4096U, 8190U, 8192U}) {
      auto frame = frame_of(300, 8193, pattern);
      frame[at] ^= std::byte{1};
      EXPECT_EQ(find_pattern_fault(frame, 300), at / 8 * 8) << at;
    }
  }
}

TEST(Pattern, FindsATornFrame) {
  auto frame = frame_of(12, 65'536, Pattern::words);
  const auto later = frame_of(12 + 64, 65'536, Pattern::words);
  std::copy(later.begin() + 40'000, later.end(), frame.begin() + 40'000);
  EXPECT_EQ(find_pattern_fault(frame, 12), 40'000U);
}

TEST(Pattern, BytePatternIsTheExamplePrograms) {
  const auto frame = frame_of(513, 100, Pattern::byte);
  EXPECT_TRUE(std::all_of(frame.begin(), frame.end(), [](std::byte b) { return b == std::byte{1}; }));
}

}  // namespace
}  // namespace tensorpool::apps
