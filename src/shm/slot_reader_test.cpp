// spec: wire 8.2, 8.3 (slot protocol and the reader's checks), faults H1 and H2 of the design.
#include "shm/slot_reader.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>

#include "base/bytes.hpp"
#include "shm/seqlock.hpp"
#include "shm/slot_writer.hpp"
#include "support/region_files.hpp"

namespace tensorpool::shm {
namespace {

std::vector<std::byte> pattern(std::size_t length, unsigned first) {
  std::vector<std::byte> bytes(length);
  for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::byte>(first + i);
  return bytes;
}

// One producer's and one consumer's mapping of the same ring of 4.
class SlotReaderTest : public ::testing::Test {
 protected:
  SlotReaderTest()
      : layout_(files_.make()),
        writable_(files_.map(layout_, Access::read_write)),
        readable_(files_.map(layout_, Access::read_only)) {}

  void publish(std::uint64_t seq, const std::vector<std::byte>& payload, int pool = 0) {
    const TensorLayout layout = TensorLayout::raw_bytes(static_cast<std::int32_t>(payload.size()));
    writer_.copy_in(pool, writer_.begin(seq, pool, FilledBy::copy_in), payload);
    writer_.commit(seq, pool, {static_cast<std::uint32_t>(payload.size()), static_cast<Nanos>(seq) + 100, 3, &layout},
                   FilledBy::copy_in);
  }
  // Changes bytes of a committed header behind the reader's back.
  template <class T>
  void tamper(std::uint64_t seq, std::size_t offset, T value) {
    store_le(reinterpret_cast<std::byte*>(writable_->header_words(seq)) + offset, value);
  }
  SlotFault open(std::uint64_t seq) {
    SlotView view;
    return reader_.open(seq, view);
  }

  RegionFiles files_;
  RegionLayout layout_;
  std::unique_ptr<RegionSet> writable_;
  std::unique_ptr<RegionSet> readable_;
  SlotWriter writer_{*writable_};
  SlotReader reader_{*readable_};
};

using SlotReaderOpen = SlotReaderTest;
using SlotWriterTest = SlotReaderTest;
using CommittedRangeTest = SlotReaderTest;

TEST_F(SlotReaderOpen, GivesBackWhatWasCommitted) {
  const auto payload = pattern(1001, 7);
  publish(5, payload);
  SlotView view;
  ASSERT_EQ(reader_.open(5, view), SlotFault::none);
  EXPECT_EQ(view.fields.values_len_bytes, 1001U);
  EXPECT_EQ(view.fields.pool_id, 1);
  EXPECT_EQ(view.fields.payload_slot, 1U);
  EXPECT_EQ(view.fields.timestamp_ns, 105U);
  EXPECT_EQ(view.fields.meta_version, 3U);
  EXPECT_EQ(*view.layout, TensorLayout::raw_bytes(1001));
  ASSERT_EQ(view.payload.size(), 1001U);
  for (const CopyMode mode : {CopyMode::words, CopyMode::opaque}) {
    std::vector<std::byte> copy(1003, std::byte{0xEE});
    ASSERT_TRUE(copy_out(copy, view.payload, mode));
    EXPECT_EQ(std::memcmp(copy.data(), payload.data(), payload.size()), 0);
    EXPECT_EQ(copy[1001], std::byte{0xEE}) << "nothing beyond the payload is touched";
  }
  EXPECT_TRUE(still_valid(view.commit_word, 5));
}

TEST_F(SlotReaderOpen, RefusesToCopyIntoATooSmallBuffer) {
  publish(0, pattern(64, 0));
  SlotView view;
  ASSERT_EQ(reader_.open(0, view), SlotFault::none);
  std::array<std::byte, 63> small{};
  EXPECT_FALSE(copy_out(small, view.payload));
}

TEST_F(SlotReaderOpen, TakesAFrameOfNoBytes) {
  publish(0, {});
  SlotView view;
  ASSERT_EQ(reader_.open(0, view), SlotFault::none);
  EXPECT_TRUE(view.payload.empty());
  EXPECT_TRUE(copy_out({}, view.payload));
}

TEST_F(SlotReaderOpen, TellsOlderInProgressAndNewerApart) {
  EXPECT_EQ(open(4), SlotFault::older) << "an untouched slot reads as sequence 0 in progress";
  EXPECT_EQ(open(0), SlotFault::in_progress);
  publish(4, pattern(8, 0));
  EXPECT_EQ(open(0), SlotFault::newer);
  EXPECT_EQ(open(4), SlotFault::none);
  EXPECT_EQ(open(8), SlotFault::older);
  writer_.begin(8, 0);
  EXPECT_EQ(open(4), SlotFault::newer) << "the slot is being given to 8: 4 is gone";
  EXPECT_EQ(open(8), SlotFault::in_progress);
  EXPECT_EQ(reader_.commit_word_value(8), protocol::in_progress_word(8));
}

TEST_F(SlotReaderOpen, NeverReadsASequenceThatTheCommitWordCannotHold) {
  publish(1, pattern(8, 0));
  EXPECT_EQ(open(1 + (1ULL << 63)), SlotFault::older);
  EXPECT_EQ(open(~0ULL), SlotFault::older);
}

TEST_F(SlotReaderOpen, KeepsAnAbandonedSequenceAGapUntilTheSlotIsTakenAgain) {
  writer_.begin(2, 0);
  writer_.abandon(2);
  EXPECT_EQ(open(2), SlotFault::in_progress);
  publish(6, pattern(8, 0));
  EXPECT_EQ(open(6), SlotFault::none);
}

TEST_F(SlotReaderOpen, InvalidatesAViewWhenTheSlotIsTakenAgain) {
  publish(3, pattern(512, 0));
  SlotView view;
  ASSERT_EQ(reader_.open(3, view), SlotFault::none);
  writer_.begin(7, 0);
  EXPECT_FALSE(still_valid(view.commit_word, 3));
  publish(7, pattern(512, 1));
  EXPECT_FALSE(still_valid(view.commit_word, 3)) << "a newer frame is not the old one";
  EXPECT_TRUE(still_valid(view.commit_word, 7));
}

TEST_F(SlotReaderOpen, RefusesEachBrokenHeaderFieldByItsCause) {
  struct Case {
    const char* name;
    std::size_t offset;
    std::uint32_t value;
    SlotFault fault;
  };
  for (const Case& c :
       {Case{"length beyond the stride", 8, 1025, SlotFault::too_long},
        Case{"length of 2^32 - 1", 8, 0xFFFFFFFF, SlotFault::too_long},
        Case{"shape larger than the length", 8, 63, SlotFault::bad_layout},
        Case{"payload slot of a neighbour", 12, 2, SlotFault::bad_payload_slot},
        Case{"payload slot beyond the ring", 12, 0xFFFFFFFF, SlotFault::bad_payload_slot},
        Case{"pool that does not exist", 16, 9, SlotFault::unknown_pool},
        Case{"payload offset", 18, 64, SlotFault::bad_offset}, Case{"embedded length", 60, 191, SlotFault::bad_header},
        Case{"block length and template", 64, 0, SlotFault::bad_header},
        Case{"schema and version", 68, 0, SlotFault::bad_header},
        Case{"type and order unknown", 72, 0x00630063, SlotFault::bad_layout},
        Case{"9 dimensions", 76, 9, SlotFault::bad_layout},
        Case{"negative dimension", 83, 0x80000000, SlotFault::bad_layout},
        Case{"dimension beyond the length", 83, 65, SlotFault::bad_layout},
        Case{"negative stride", 115, 0xFFFFFFFF, SlotFault::bad_layout}}) {
    publish(1, pattern(64, 0));
    ASSERT_EQ(open(1), SlotFault::none);
    if (c.offset == 16)
      tamper<std::uint16_t>(1, c.offset, static_cast<std::uint16_t>(c.value));  // its neighbour is the offset
    else
      tamper<std::uint32_t>(1, c.offset, c.value);
    EXPECT_EQ(to_string(open(1)), to_string(c.fault)) << c.name;
  }
}

TEST_F(SlotReaderOpen, KeepsAHostileHeaderWithinTheMapping) {
  std::mt19937_64 random(20240607);
  const auto* mapped = reinterpret_cast<const std::byte*>(readable_->header_words(0));
  std::size_t accepted = 0;
  publish(1, pattern(64, 0));
  std::array<std::byte, 256> good;
  std::memcpy(good.data(), writable_->header_words(1), good.size());
  for (int i = 0; i < 1'000'000; ++i) {
    std::array<std::byte, 256> slot = good;
    // Half of them all noise; half of them a good header with a few bytes changed, which comes further.
    if ((random() & 1) != 0) {
      for (std::size_t at = 8; at < slot.size(); at += 8) store_le(slot.data() + at, random());
    } else {
      for (std::uint64_t changes = 1 + random() % 3; changes > 0; --changes)
        slot[8 + random() % 248] = static_cast<std::byte>(random());
    }
    std::memcpy(writable_->header_words(1), slot.data(), slot.size());
    SlotView view;
    if (reader_.open(1, view) != SlotFault::none) continue;
    ++accepted;
    const int pool = readable_->pool_index(view.fields.pool_id);
    ASSERT_GE(pool, 0);
    const auto whole = readable_->payload_slot(1, pool);
    ASSERT_EQ(view.payload.data(), whole.data());
    ASSERT_LE(view.payload.size(), whole.size());
    ASSERT_EQ(reinterpret_cast<const std::byte*>(view.commit_word), mapped + 256);
    ASSERT_LE(view.layout->extent_bytes(), view.payload.size());
  }
  EXPECT_GT(accepted, 0U) << "some changes touch padding only";
  EXPECT_LT(accepted, 500'000U);
}

TEST_F(SlotWriterTest, ChoosesTheSmallestPoolThatFits) {
  EXPECT_EQ(writer_.pool_for(0), 0);
  EXPECT_EQ(writer_.pool_for(1024), 0);
  EXPECT_EQ(writer_.pool_for(1025), 1);
  EXPECT_EQ(writer_.pool_for(4096), 1);
  EXPECT_EQ(writer_.pool_for(4097), -1);
  EXPECT_EQ(writer_.pool_for(1ULL << 40), -1);
}

TEST_F(SlotWriterTest, FillsClaimsThatCompleteInAnyOrder) {
  const auto first = writer_.begin(0, 1);
  const auto second = writer_.begin(1, 1);
  std::fill(second.begin(), second.end(), std::byte{2});
  const TensorLayout layout = TensorLayout::raw_bytes(4096);
  writer_.commit(1, 1, {4096, 0, 0, &layout});
  EXPECT_EQ(open(0), SlotFault::in_progress);
  EXPECT_EQ(open(1), SlotFault::none);
  std::fill(first.begin(), first.end(), std::byte{1});
  writer_.commit(0, 1, {4096, 0, 0, &layout});
  SlotView view;
  ASSERT_EQ(reader_.open(0, view), SlotFault::none);
  EXPECT_EQ(view.payload.back(), std::byte{1});
}

TEST_F(SlotWriterTest, LeavesThePaddingOfTheHeaderZero) {
  std::memset(writable_->header_words(0), 0xFF, 256);
  publish(0, pattern(16, 0));
  const auto* slot = reinterpret_cast<const std::byte*>(readable_->header_words(0));
  const auto is_zero = [&](std::size_t from, std::size_t to) {
    return std::all_of(slot + from, slot + to, [](std::byte b) { return b == std::byte{0}; });
  };
  EXPECT_TRUE(is_zero(34, 60));    // wire 8.1: pad
  EXPECT_TRUE(is_zero(87, 115));   // dims beyond ndims
  EXPECT_TRUE(is_zero(119, 256));  // strides beyond ndims, pad
}

// spec: wire 8.1. A layout that was used for more dimensions before is a caller's own business.
TEST_F(SlotWriterTest, ZeroesWhatItsCallersLayoutHoldsBeyondItsDimensions) {
  TensorLayout layout = TensorLayout::raw_bytes(16);
  layout.dims.fill(16);
  layout.strides.fill(1);
  const auto payload = pattern(16, 0);
  writer_.copy_in(0, writer_.begin(0, 0, FilledBy::copy_in), payload);
  writer_.commit(0, 0, {16, 1, 1, &layout}, FilledBy::copy_in);
  SlotView view;
  ASSERT_EQ(reader_.open(0, view), SlotFault::none);
  TensorLayout expected = TensorLayout::raw_bytes(16);
  expected.strides[0] = 1;
  EXPECT_EQ(*view.layout, expected);
}

// Slots keep what is said to be alike; so each must be told anew when it is not.
TEST_F(SlotWriterTest, TellsEachSlotWhichLayoutItHolds) {
  const TensorLayout one = TensorLayout::raw_bytes(64);
  const TensorLayout other = TensorLayout::row_major(Dtype::uint8, {8, 8});
  const auto write = [&](SlotWriter& writer, std::uint64_t seq, const TensorLayout& layout, std::uint32_t id) {
    writer.begin(seq, 0);
    writer.commit(seq, 0, {64, static_cast<Nanos>(seq), 1, &layout, id});
    SlotView view;
    EXPECT_EQ(reader_.open(seq, view), SlotFault::none);
    EXPECT_EQ(view.fields.timestamp_ns, seq);
    return *view.layout == layout;
  };
  std::uint64_t seq = 0;
  for (; seq < 6; ++seq) EXPECT_TRUE(write(writer_, seq, one, 1)) << seq;
  for (; seq < 12; ++seq) EXPECT_TRUE(write(writer_, seq, other, 2)) << seq;
  for (; seq < 18; ++seq) EXPECT_TRUE(write(writer_, seq, seq % 3 == 0 ? one : other, seq % 3 == 0 ? 3 : 4)) << seq;
  for (; seq < 24; ++seq) EXPECT_TRUE(write(writer_, seq, seq % 2 == 0 ? one : other, 0)) << seq << ", ids unknown";
  SlotWriter successor(*writable_);
  for (; seq < 30; ++seq) EXPECT_TRUE(write(successor, seq, one, 4)) << seq << ", ids are a writer's own";
}

TEST_F(SlotReaderOpen, JudgesAFrameOfAKnownLayoutAsEveryOther) {
  const TensorLayout image = TensorLayout::row_major(Dtype::uint8, {8, 8});
  const auto write = [&](std::uint64_t seq, std::uint32_t length) {
    writer_.begin(seq, 0);
    writer_.commit(seq, 0, {length, 1, 1, &image, 1});
    return open(seq);
  };
  ASSERT_EQ(write(0, 64), SlotFault::none);
  EXPECT_EQ(write(1, 100), SlotFault::none);
  EXPECT_EQ(write(2, 63), SlotFault::bad_layout) << "longer than its frame";
  EXPECT_EQ(write(3, 64), SlotFault::none);
  tamper(3, 18, std::uint32_t{1});
  EXPECT_EQ(open(3), SlotFault::bad_offset);
  tamper(3, 18, std::uint32_t{0});
  tamper(3, 87, std::int32_t{-1});  // its second dimension
  EXPECT_EQ(open(3), SlotFault::bad_layout);
  tamper(3, 60, std::uint32_t{0});
  EXPECT_EQ(open(3), SlotFault::bad_header);
  EXPECT_EQ(open(1), SlotFault::none) << "the layout that was accepted is still known";
}

TEST_F(SlotReaderOpen, DoesNotTakeAnEmptyHeaderForAKnownOne) {
  *writable_->header_words(0) = protocol::committed_word(0);
  EXPECT_EQ(open(0), SlotFault::bad_header);
}

TEST_F(SlotWriterTest, DescribesAFrameThatIsNotCommittedYet) {
  const TensorLayout layout = TensorLayout::raw_bytes(1000);
  writer_.begin(1, 0);
  writer_.write_header(1, 0, {1000, 9, 2, &layout});
  EXPECT_EQ(open(1), SlotFault::in_progress);
  protocol::TensorSlotHeader256 copy;
  Seqlock::load_words(copy.bytes.data(), std::as_const(*readable_).header_words(1), 32);
  const auto header = copy.decode();
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->values_len_bytes, 1000U);
  EXPECT_EQ(header->layout, layout);
}

TEST_F(CommittedRangeTest, IsEmptyInAFreshRing) { EXPECT_FALSE(committed_range(*readable_).has_value()); }

TEST_F(CommittedRangeTest, SpansWhatIsReadable) {
  publish(0, pattern(8, 0));
  EXPECT_EQ(committed_range(*readable_), (CommittedRange{0, 0}));
  for (std::uint64_t seq = 1; seq <= 9; ++seq) publish(seq, pattern(8, 0));
  EXPECT_EQ(committed_range(*readable_), (CommittedRange{6, 9}));
  writer_.begin(10, 0);
  EXPECT_EQ(committed_range(*readable_), (CommittedRange{7, 9})) << "the slot of 6 is being given to 10";
}

TEST_F(CommittedRangeTest, IgnoresWordsThatBelongIntoAnotherSlot) {
  publish(1, pattern(8, 0));
  tamper(2, 0, protocol::committed_word(5));
  EXPECT_EQ(committed_range(*readable_), (CommittedRange{1, 1}));
}

TEST(SlotCopy, MovesEveryLengthAtEveryAlignment) {
  alignas(64) std::array<std::byte, 256> slot;
  for (const CopyMode mode : {CopyMode::words, CopyMode::opaque}) {
    for (std::size_t offset = 0; offset < 9; ++offset) {
      for (std::size_t length = 0; length < 70; ++length) {
        const auto source = pattern(length + 3, static_cast<unsigned>(length));
        slot.fill(std::byte{0xEE});
        copy_into_slot(std::span(slot).subspan(offset), std::span(source).subspan(3), mode);
        ASSERT_EQ(slot[offset + length], std::byte{0xEE});
        std::vector<std::byte> back(length);
        copy_from_slot(back, std::span(slot).subspan(offset, length), mode);
        ASSERT_TRUE(std::equal(back.begin(), back.end(), source.begin() + 3));
      }
    }
  }
}

TEST(SlotCopy, TakesMemcpyOnlyWhereThePoolFitsTheCache) {
  constexpr std::uint64_t large_frame = 1ULL << 20;
  EXPECT_EQ(copy_mode_for(8ULL << 20, large_frame), CopyMode::opaque);
  EXPECT_EQ(copy_mode_for((8ULL << 20) + 1, large_frame), CopyMode::words);
  EXPECT_EQ(copy_mode_for(1ULL << 30, 256ULL << 10), CopyMode::opaque);
}

}  // namespace
}  // namespace tensorpool::shm
