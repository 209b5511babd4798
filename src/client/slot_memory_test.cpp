#include "client/slot_memory.hpp"

#include <gtest/gtest.h>

namespace tensorpool::detail {
namespace {

constexpr std::uint64_t lap = 64;

protocol::FrameFields frame(std::uint64_t stamp, std::uint32_t bytes = 100) {
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
    if (memory.is_stale(seq, frame(stamp(seq)))) {
      ++stale;
    } else {
      memory.accept(seq, frame(stamp(seq)));
    }
  }
  return stale;
}
std::uint64_t regular(std::uint64_t seq) { return 1000 + seq * 10; }

TEST(SlotMemory, RecognisesWhatLayInTheSlotALapAgo) {
  SlotMemory memory(lap);
  EXPECT_EQ(stale_of(memory, 93, regular), 0);
  EXPECT_TRUE(memory.is_stale(93, frame(regular(29))));
  EXPECT_FALSE(memory.is_stale(93, frame(regular(93))));
  EXPECT_TRUE(memory.is_stale(93 + 5 * lap, frame(regular(29)))) << "several laps ago";
}

TEST(SlotMemory, TakesAFrameThatRepeatsOnlyTheTimeStampOrOnlyTheFields) {
  SlotMemory memory(lap);
  stale_of(memory, 93, regular);
  EXPECT_FALSE(memory.is_stale(93, frame(regular(29), 101)));
  auto other_meta = frame(regular(29));
  other_meta.meta_version = 4;
  EXPECT_FALSE(memory.is_stale(93, other_meta));
  EXPECT_FALSE(memory.is_stale(93, frame(regular(30))));
}

TEST(SlotMemory, TakesEveryFrameOfAStreamWhoseStampsDoNotAdvance) {
  SlotMemory standing(lap);
  EXPECT_EQ(stale_of(standing, 1000, [](std::uint64_t) { return std::uint64_t{77}; }), 0);
  SlotMemory none(lap);
  EXPECT_EQ(stale_of(none, 1000, [](std::uint64_t) { return std::uint64_t{0}; }), 0);
  SlotMemory null(lap);
  EXPECT_EQ(stale_of(null, 1000, [](std::uint64_t) { return ~std::uint64_t{0}; }), 0);
  SlotMemory back(lap);
  EXPECT_EQ(stale_of(back, 1000, [](std::uint64_t seq) { return 100'000 - seq; }), 0);
  SlotMemory short_loop(lap);
  EXPECT_EQ(stale_of(short_loop, 1000, [](std::uint64_t seq) { return regular(seq % 16); }), 0);
}

TEST(SlotMemory, TrustsStampsAgainTwoLapsAfterTheyWentBack) {
  SlotMemory memory(lap);
  const auto set_back = [](std::uint64_t seq) { return regular(seq) - (seq < 100 ? 0 : 500); };
  EXPECT_EQ(stale_of(memory, 160, set_back), 0);
  EXPECT_FALSE(memory.is_stale(160, frame(set_back(160 - lap))));
  EXPECT_EQ(stale_of(memory, 500, [&](std::uint64_t seq) { return set_back(seq) + 10'000; }), 0);
  EXPECT_TRUE(memory.is_stale(500, frame(set_back(500 - lap) + 10'000)));
}

}  // namespace
}  // namespace tensorpool::detail
