#include "apps/config/nearest.hpp"

#include <gtest/gtest.h>

namespace tensorpool::apps {
namespace {

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", "abc"), 0u);
  EXPECT_EQ(edit_distance("stride_byte", "stride_bytes"), 1u);
  EXPECT_EQ(edit_distance("base_dri", "base_dir"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Nearest, PrefersTheSmallestDistanceAndGivesUpOnStrangers) {
  const std::string known[] = {"aeron_dir", "aeron_uri", "stream_id"};
  EXPECT_EQ(nearest("aeron_url", known), "aeron_uri");
  EXPECT_EQ(nearest("wavelength", known), std::nullopt);
}

}  // namespace
}  // namespace tensorpool::apps
