#include "client/slot_memory.hpp"

#include <gtest/gtest.h>

namespace tensorpool::detail {
namespace {

constexpr std::uint64_t one_lap = 64;

protocol::FrameFields fields_with(std::uint64_t stamp, std::uint32_t bytes = 100) {
  return {.values_len_bytes = bytes,
          .payload_slot = 0,
          .pool_id = 1,
          .payload_offset = 0,
          .timestamp_ns = stamp,
          .meta_version = 3};
}
// Frames [0, end) with these stamps; how many were taken for stale.
template <class Stamp>
int stale_of(SlotMemory& memory, std::uint64_t end, Stamp&& stamp) {
  int stale = 0;
  for (std::uint64_t seq = 0; seq < end; ++seq) {
    if (memory.is_stale(seq, fields_with(stamp(seq)))) {
      ++stale;
    } else {
      memory.accept(seq, fields_with(stamp(seq)));
    }
  }
  return stale;
}
std::uint64_t regular_stamp(std::uint64_t seq) { return 1000 + seq * 10; }

TEST(SlotMemory, RecognisesWhatLayInTheSlotALapAgo) {
  SlotMemory memory(one_lap);
  EXPECT_EQ(stale_of(memory, 93, regular_stamp), 0);
  EXPECT_TRUE(memory.is_stale(93, fields_with(regular_stamp(29))));
  EXPECT_FALSE(memory.is_stale(93, fields_with(regular_stamp(93))));
  EXPECT_TRUE(memory.is_stale(93 + 5 * one_lap, fields_with(regular_stamp(29)))) << "several laps ago";
}

TEST(SlotMemory, TakesAFrameThatRepeatsOnlyTheTimeStampOrOnlyTheFields) {
  SlotMemory memory(one_lap);
  stale_of(memory, 93, regular_stamp);
  EXPECT_FALSE(memory.is_stale(93, fields_with(regular_stamp(29), 101)));
  auto other_meta = fields_with(regular_stamp(29));
  other_meta.meta_version = 4;
  EXPECT_FALSE(memory.is_stale(93, other_meta));
  EXPECT_FALSE(memory.is_stale(93, fields_with(regular_stamp(30))));
}

TEST(SlotMemory, TakesEveryFrameOfAStreamWhoseStampsDoNotAdvance) {
  SlotMemory standing(one_lap);
  EXPECT_EQ(stale_of(standing, 1000, [](std::uint64_t) { return std::uint64_t{77}; }), 0);
  SlotMemory none(one_lap);
  EXPECT_EQ(stale_of(none, 1000, [](std::uint64_t) { return std::uint64_t{0}; }), 0);
  SlotMemory null(one_lap);
  EXPECT_EQ(stale_of(null, 1000, [](std::uint64_t) { return ~std::uint64_t{0}; }), 0);
  SlotMemory back(one_lap);
  EXPECT_EQ(stale_of(back, 1000, [](std::uint64_t seq) { return 100'000 - seq; }), 0);
  SlotMemory short_loop(one_lap);
  EXPECT_EQ(stale_of(short_loop, 1000, [](std::uint64_t seq) { return regular_stamp(seq % 16); }), 0);
}

TEST(SlotMemory, TrustsStampsAgainTwoLapsAfterTheyWentBack) {
  SlotMemory memory(one_lap);
  const auto set_back = [](std::uint64_t seq) { return regular_stamp(seq) - (seq < 100 ? 0 : 500); };
  EXPECT_EQ(stale_of(memory, 160, set_back), 0);
  EXPECT_FALSE(memory.is_stale(160, fields_with(set_back(160 - one_lap))));
  EXPECT_EQ(stale_of(memory, 500, [&](std::uint64_t seq) { return set_back(seq) + 10'000; }), 0);
  EXPECT_TRUE(memory.is_stale(500, fields_with(set_back(500 - one_lap) + 10'000)));
}

}  // namespace
}  // namespace tensorpool::detail
