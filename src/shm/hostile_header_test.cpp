// Fault H2 of the design: somebody who may write the ring rewrites a committed header over and over while it is read.
// What the reader judged must be what it hands out: a field that is fetched twice would be another one the second time.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "protocol/shm_layout.hpp"
#include "shm/slot_reader.hpp"
#include "shm/slot_writer.hpp"
#include "support/region_files.hpp"

namespace tensorpool::shm {
namespace {

using SlotWords = std::array<std::uint64_t, protocol::header_slot_words>;
constexpr std::uint64_t frame_seq = 1;
constexpr int enough_opens = 400'000;

class HostileHeader : public ::testing::Test {
 protected:
  HostileHeader()
      : layout_(files_.make()),
        writable_(files_.map(layout_, Access::read_write)),
        readable_(files_.map(layout_, Access::read_only)),
        slot_(writable_->header_words(frame_seq)) {}

  // A committed frame of so many rows of 8 bytes, as its slot holds it.
  SlotWords commit(std::int32_t rows) {
    SlotWriter writer(*writable_);
    const TensorLayout layout = TensorLayout::row_major(Dtype::uint8, {rows, 8});
    const auto bytes = static_cast<std::uint32_t>(rows * 8);
    static_cast<void>(writer.begin(frame_seq, 0, FilledBy::others));
    writer.commit(frame_seq, 0, {bytes, bytes, 3, &layout}, FilledBy::others);
    SlotWords words;
    std::memcpy(words.data(), slot_, sizeof words);
    return words;
  }

  // Rewrites all but the commit word from one of the forms, word by word, until told to stop.
  void rewrite(const std::vector<SlotWords>& forms, const std::atomic<bool>& stop) {
    for (std::size_t turn = 0; !stop.load(std::memory_order_relaxed); ++turn) {
      const SlotWords& form = forms[turn % forms.size()];
      for (std::size_t i = 1; i < form.size(); ++i) {
        std::atomic_ref(slot_[i]).store(form[i], std::memory_order_relaxed);
      }
    }
  }

  RegionFiles files_;
  RegionLayout layout_;
  std::unique_ptr<RegionSet> writable_;
  std::unique_ptr<RegionSet> readable_;
  std::uint64_t* slot_;
};

TEST_F(HostileHeader, IsJudgedAndUsedAsOneCopyWhoeverRewritesItMeanwhile) {
  const SlotWords small = commit(2);
  const SlotWords large = commit(64);
  const auto spoilt = [](SlotWords words, std::size_t at, int value, std::size_t bytes) {
    std::memset(reinterpret_cast<std::byte*>(words.data()) + at, value, bytes);
    return words;
  };
  const SlotWords endless = spoilt(large, 8, 0xFF, 4);     // a length of 2^32 - 1
  const SlotWords elsewhere = spoilt(large, 12, 0xFF, 6);  // payload slot and pool that are not there
  const SlotWords vast = spoilt(small, 83, 0x7F, 8);       // two dimensions of 2^31 - 1

  std::atomic<bool> stop{false};
  std::thread hostile([&] { rewrite({small, large, endless, small, elsewhere, large, vast}, stop); });
  SlotReader reader(*readable_);
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  std::uint64_t moved = 0;  // another length at a second look: what a reader that fetches twice would fall for
  for (int opens = 0; opens < enough_opens || accepted == 0 || refused == 0 || moved == 0; ++opens) {
    const std::uint64_t before = std::atomic_ref(slot_[1]).load(std::memory_order_relaxed);
    SlotView view;
    const SlotFault fault = opens % 2 == 0 ? reader.open(frame_seq, view) : reader.open_in_flight(frame_seq, view);
    moved += std::atomic_ref(slot_[1]).load(std::memory_order_relaxed) != before ? 1 : 0;
    if (fault != SlotFault::none) {
      ++refused;
      continue;
    }
    ++accepted;
    const int pool = readable_->pool_index(view.fields.pool_id);
    ASSERT_EQ(pool, 0);
    const auto whole = readable_->payload_slot(frame_seq, pool);
    ASSERT_EQ(view.payload.data(), whole.data());
    ASSERT_EQ(view.payload.size(), view.fields.values_len_bytes);
    ASSERT_LE(view.payload.size(), whole.size());
    ASSERT_EQ(view.layout->ndims, 2);
    ASSERT_EQ(view.layout->dims[1], 8);
    ASSERT_LE(view.layout->extent_bytes(), view.payload.size());
  }
  stop.store(true);
  hostile.join();
  RecordProperty("opened", std::to_string(accepted));
  RecordProperty("refused", std::to_string(refused));
  RecordProperty("rewritten_meanwhile", std::to_string(moved));
}

}  // namespace
}  // namespace tensorpool::shm
