#include "protocol/shm_layout.hpp"

#include <cstring>
#include <limits>
#include <type_traits>

#include "protocol/golden_test.hpp"

namespace tensorpool::protocol {
namespace {

template <std::size_t size>
std::array<std::byte, size> fixed(const Bytes& bytes) {
  std::array<std::byte, size> out{};
  EXPECT_EQ(bytes.size(), size);
  std::memcpy(out.data(), bytes.data(), std::min(size, bytes.size()));
  return out;
}

constexpr Superblock pool{
    .epoch = 0x1122334455667788,
    .stream_id = 10000,
    .region_type = RegionType::payload_pool,
    .pool_id = 2,
    .nslots = 1024,
    .slot_bytes = 655360,
    .stride_bytes = 655360,
    .pid = 4242,
    .start_timestamp_ns = 5,
    .activity_timestamp_ns = 6,
};
constexpr Superblock ring{.epoch = 1, .stream_id = 2, .nslots = 8, .slot_bytes = 256};

const char* const pool_bytes =
    "314d4853 4c504f54"  // magic, the last letter first
    "01000000"           // layoutVersion
    "8877665544332211"   // epoch
    "10270000"           // streamId
    "0200"               // regionType
    "0200"               // poolId
    "00040000"           // nslots
    "00000a00"           // slotBytes
    "00000a00"           // strideBytes
    "9210000000000000"   // pid
    "0500000000000000"   // startTimestampNs
    "0600000000000000";  // activityTimestampNs

// spec: wire 1.2, ShmRegionSuperblock
TEST(Superblock, OfAPoolIsTheseBytes) {
  std::array<std::byte, superblock_bytes> out{};
  encode_superblock(pool, out);
  EXPECT_EQ(out, fixed<superblock_bytes>(hex(pool_bytes)));
  const auto decoded = decode_superblock(out);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded, pool);
}

TEST(Superblock, OfARingIsTheseBytes) {
  const Bytes golden =
      hex("314d48534c504f54 01000000 0100000000000000 02000000"
          "0100"      // regionType
          "0000"      // poolId
          "08000000"  // nslots
          "00010000"  // slotBytes
          "00000000"  // strideBytes
          "0000000000000000 0000000000000000 0000000000000000");
  std::array<std::byte, superblock_bytes> out{};
  encode_superblock(ring, out);
  EXPECT_EQ(out, fixed<superblock_bytes>(golden));
  EXPECT_EQ(*decode_superblock(out), ring);
}

TEST(Superblock, OfAPoolMayLeaveItsSlotBytesUnstated) {
  const auto decoded = decode_superblock(fixed<superblock_bytes>(with(hex(pool_bytes), 32, std::uint32_t{0xFFFFFFFF})));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->slot_bytes, unstated_slot_bytes);
}

template <class T>
Superblock changed(Superblock superblock, T Superblock::*member, std::type_identity_t<T> value) {
  superblock.*member = value;
  return superblock;
}

struct BadSuperblock {
  Superblock superblock;
  SuperblockFault fault;
};

TEST(Superblock, WithAWrongFieldIsRefused) {
  using S = Superblock;
  using Fault = SuperblockFault;
  const BadSuperblock cases[] = {
      {changed(pool, &S::magic, magic + 1), Fault::bad_magic},
      {changed(pool, &S::layout_version, 2), Fault::bad_layout_version},
      {changed(pool, &S::layout_version, 0), Fault::bad_layout_version},
      {changed(pool, &S::region_type, RegionType{0}), Fault::bad_region_type},
      {changed(pool, &S::region_type, RegionType{3}), Fault::bad_region_type},
      {changed(pool, &S::region_type, RegionType{-1}), Fault::bad_region_type},
      {changed(pool, &S::nslots, 0), Fault::bad_nslots},
      {changed(pool, &S::nslots, 1000), Fault::bad_nslots},
      {changed(pool, &S::nslots, 0xFFFFFFFF), Fault::bad_nslots},
      {changed(pool, &S::slot_bytes, 64), Fault::bad_slot_bytes},
      {changed(pool, &S::stride_bytes, 0), Fault::bad_stride_bytes},
      {changed(pool, &S::stride_bytes, 100), Fault::bad_stride_bytes},
      {changed(pool, &S::stride_bytes, 128), Fault::bad_slot_bytes},
      {changed(ring, &S::pool_id, 1), Fault::bad_pool_id},
      {changed(ring, &S::slot_bytes, 128), Fault::bad_slot_bytes},
      {changed(ring, &S::slot_bytes, unstated_slot_bytes), Fault::bad_slot_bytes},
      {changed(ring, &S::stride_bytes, 256), Fault::bad_stride_bytes},
  };
  for (const auto& [superblock, fault] : cases) {
    std::array<std::byte, superblock_bytes> bytes{};
    encode_superblock(superblock, bytes);
    const auto decoded = decode_superblock(bytes);
    ASSERT_FALSE(decoded.has_value()) << to_string(fault);
    EXPECT_EQ(decoded.error(), fault) << to_string(fault) << " / " << to_string(decoded.error());
  }
}

const SlotHeader slot{
    .seq_commit = 0x0102030405060709,
    .values_len_bytes = 4147200,
    .payload_slot = 5,
    .pool_id = 3,
    .timestamp_ns = 0x1112131415161718,
    .meta_version = 9,
    .layout = {.dtype = Dtype::uint16,
               .major_order = MajorOrder::row,
               .ndims = 2,
               .progress_unit = ProgressUnit::rows,
               .progress_stride_bytes = 3840,
               .dims = {1080, 1920},
               .strides = {3840, 2}},
};

Bytes slot_bytes() {
  Bytes bytes =
      hex("0907060504030201"                                       // seqCommit
          "00483f00"                                               // valuesLenBytes
          "05000000"                                               // payloadSlot
          "0300"                                                   // poolId
          "00000000"                                               // payloadOffset
          "1817161514131211"                                       // timestampNs
          "09000000"                                               // metaVersion
          "00000000000000000000000000000000000000000000000000 00"  // pad, 26 bytes
          "c0000000"                                               // headerBytes, 192 bytes
          "b800 3400 8403 0100"  // message header: block 184, template 52, schema 900, version 1
          "0300"                 // dtype
          "0100"                 // majorOrder
          "02"                   // ndims
          "00"                   // padAlign
          "01"                   // progressUnit
          "000f0000"             // progressStrideBytes
          "38040000 80070000 00000000 00000000 00000000 00000000 00000000 00000000"    // dims
          "000f0000 02000000 00000000 00000000 00000000 00000000 00000000 00000000");  // strides
  EXPECT_EQ(bytes.size(), 147U);
  bytes.resize(bytes.size() + 109);  // pad
  return bytes;
}

std::array<std::byte, header_slot_bytes> slot_array() { return fixed<header_slot_bytes>(slot_bytes()); }

// spec: wire 1.2, SlotHeader and TensorHeader
TEST(SlotHeader, IsTheseBytes) {
  std::array<std::byte, header_slot_bytes> out;
  out.fill(std::byte{0xEE});
  encode_slot_header(slot, out);
  EXPECT_EQ(out, slot_array());
  const auto decoded = decode_slot_header(out);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded, slot);
}

TEST(FrameWords, AreTheFirstOfAHeaderSlot) {
  SlotHeader header = slot;
  header.timestamp_ns = 0x0123456789ABCDEF;
  header.meta_version = 0xFEDCBA98;
  std::array<std::byte, header_slot_bytes> encoded{};
  encode_slot_header(header, encoded);
  FrameWords words;
  std::memcpy(words.data(), encoded.data() + sizeof header.seq_commit, sizeof words);
  const FrameFields fields{header.values_len_bytes, header.payload_slot, header.pool_id,
                           header.payload_offset,   header.timestamp_ns, header.meta_version};
  EXPECT_EQ(pack(fields), words);
  EXPECT_EQ(unpack(words), fields);
  EXPECT_EQ(unpack(pack({.payload_offset = ~0U})).payload_offset, ~0U);
}

TEST(SlotHeader, WithAnotherEmbeddedHeaderIsRefused) {
  const auto fault_of_slot = [](const Bytes& bytes) {
    const auto decoded = decode_slot_header(fixed<header_slot_bytes>(bytes));
    return decoded ? std::nullopt : std::optional(decoded.error());
  };
  using Fault = SlotHeaderFault;
  const Bytes good = slot_bytes();
  EXPECT_EQ(fault_of_slot(good), std::nullopt);
  for (const std::uint32_t length : {0U, 191U, 193U, 0x80000000U, 0xFFFFFFFFU}) {
    EXPECT_EQ(fault_of_slot(with(good, 60, length)), Fault::bad_header_length);
  }
  for (const std::size_t offset : {64U, 66U, 68U, 70U}) {
    for (const std::uint16_t value : {std::uint16_t{0}, std::uint16_t{2}, std::uint16_t{0xFFFF}}) {
      EXPECT_EQ(fault_of_slot(with(good, offset, value)), Fault::bad_message_header) << offset;
    }
  }
  EXPECT_EQ(fault_of_slot(with(good, 18, std::uint32_t{64})), Fault::bad_payload_offset);
}

TEST(SlotHeader, CarriesAnyLayoutForTheReaderToJudge) {
  Bytes bytes = with(with(slot_bytes(), 72, std::int16_t{12}), 76, std::uint8_t{200});
  const auto decoded = decode_slot_header(fixed<header_slot_bytes>(with(std::move(bytes), 78, std::uint8_t{9})));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->layout.dtype, Dtype{12});
  EXPECT_EQ(decoded->layout.ndims, 200);
  EXPECT_NE(decoded->layout.check(4147200), LayoutFault::none);
}

TEST(TensorSlotHeader256, NamesItsFields) {
  const TensorSlotHeader256 whole{slot_array()};
  EXPECT_EQ(whole.seq_commit(), 0x0102030405060709U);
  EXPECT_EQ(whole.seq(), 0x0081018202830384U);
  EXPECT_TRUE(whole.committed());
  EXPECT_EQ(whole.values_len_bytes(), 4147200U);
  EXPECT_EQ(whole.payload_slot(), 5U);
  EXPECT_EQ(whole.pool_id(), 3U);
  EXPECT_EQ(whole.timestamp_ns(), 0x1112131415161718U);
  EXPECT_EQ(*whole.decode(), slot);
}

TEST(ShmLayout, CountsInSixtyFourBits) {
  EXPECT_EQ(header_index(0, 1024), 0U);
  EXPECT_EQ(header_index(1023, 1024), 1023U);
  EXPECT_EQ(header_index(1024, 1024), 0U);
  EXPECT_EQ(header_index(std::numeric_limits<std::uint64_t>::max(), 0x80000000), 0x7FFFFFFFU);
  EXPECT_EQ(slot_offset(3, 256), 64U + 768U);
  EXPECT_EQ(region_bytes(1024, 256), 64U + 262144U);
  EXPECT_EQ(region_bytes(0x80000000, 0xFFFFFFC0), 64U + 0x80000000ULL * 0xFFFFFFC0ULL);
}

TEST(ShmLayout, ASequenceWordHoldsTheSequenceAndWhetherItIsCommitted) {
  EXPECT_EQ(in_progress_word(0), 0U);
  EXPECT_EQ(committed_word(0), 1U);
  EXPECT_EQ(committed_word(21), 43U);
  EXPECT_EQ(seq_of(43), 21U);
  EXPECT_TRUE(is_committed(43));
  EXPECT_FALSE(is_committed(42));
}

TEST(ShmLayout, AStrideIsAnyMultipleOfSixtyFour) {
  EXPECT_TRUE(is_valid_stride(64));
  EXPECT_TRUE(is_valid_stride(655360));
  EXPECT_FALSE(is_valid_stride(0));
  EXPECT_FALSE(is_valid_stride(100));
}

}  // namespace
}  // namespace tensorpool::protocol
