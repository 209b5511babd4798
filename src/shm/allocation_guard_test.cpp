// spec: the hot path allocates nothing (style.md).
#include <gtest/gtest.h>

#include "shm/slot_reader.hpp"
#include "shm/slot_writer.hpp"
#include "support/allocation_counter.hpp"
#include "support/region_files.hpp"

namespace tensorpool::shm {
namespace {

TEST(HotPath, AllocatesNothing) {
  RegionFiles files;
  const auto regions = files.map(files.make(), Access::read_write);
  SlotWriter writer(*regions);
  SlotReader reader(*regions);
  const std::array<std::byte, 1000> payload{};
  std::array<std::byte, 1024> copy{};
  const TensorLayout layout = TensorLayout::raw_bytes(1000);
  SlotView view;
  bool good = true;
  const std::size_t before = test::allocations_of_this_thread().count;
  for (std::uint64_t seq = 0; seq < 100; ++seq) {
    const int pool = writer.pool_for(payload.size());
    writer.copy_in(pool, writer.begin(seq, pool), payload);
    writer.commit(seq, pool, {1000, 1, 1, &layout});
    good = good && reader.open(seq, view) == SlotFault::none && copy_out(copy, view.payload, view.copy_mode) &&
           still_valid(view.commit_word, seq);
    good = good && reader.open(seq + 1, view) != SlotFault::none && committed_range(*regions)->newest == seq;
    regions->touch_activity(static_cast<Nanos>(seq));
    writer.abandon(seq + 1);
  }
  const std::size_t after = test::allocations_of_this_thread().count;
  EXPECT_EQ(after - before, 0U);
  EXPECT_TRUE(good);
}

}  // namespace
}  // namespace tensorpool::shm
