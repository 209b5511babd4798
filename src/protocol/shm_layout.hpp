// The bytes of region files: a 64-byte superblock, then slots. A header ring has slots of 256 bytes (SlotHeader with an
// embedded TensorHeader), a payload pool slots of its stride. These functions work on private copies of 64 or 256
// bytes: copy from shared memory first, validate the copy of the sequence word, then decode (shm/ does).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "protocol/constants.hpp"
#include "protocol/enums.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/tensor.hpp"

namespace tensorpool::protocol {

inline constexpr std::size_t superblock_bytes = 64;
inline constexpr std::size_t header_slot_bytes = 256;
inline constexpr std::size_t header_slot_words = header_slot_bytes / sizeof(std::uint64_t);
inline constexpr std::uint32_t stride_alignment = 64;
inline constexpr std::uint64_t magic = 0x544F504C53484D31;  // "TOPLSHM1", the last letter first in memory

// What shm reads and writes in place, as aligned 64-bit words.
inline constexpr std::size_t activity_timestamp_offset = 56;  // in the superblock
inline constexpr std::size_t seq_commit_offset = 0;           // in a header slot
static_assert(activity_timestamp_offset % 8 == 0 && superblock_bytes % 64 == 0 && header_slot_bytes % 64 == 0);

// --- Arithmetic of regions, in 64 bits throughout ---

// The slot, in the ring and in every pool, that `seq` uses. REQUIRES: nslots is a power of two.
[[nodiscard]] constexpr std::uint32_t header_index(std::uint64_t seq, std::uint32_t nslots) noexcept {
  return static_cast<std::uint32_t>(seq & (std::uint64_t{nslots} - 1));
}
// Bytes from the start of a region file to slot `index`.
[[nodiscard]] constexpr std::uint64_t slot_offset(std::uint32_t index, std::uint32_t slot_bytes) noexcept {
  return superblock_bytes + std::uint64_t{index} * slot_bytes;
}
// Length of a region file.
[[nodiscard]] constexpr std::uint64_t region_bytes(std::uint32_t nslots, std::uint32_t slot_bytes) noexcept {
  return slot_offset(nslots, slot_bytes);
}
[[nodiscard]] constexpr bool is_valid_nslots(std::uint32_t nslots) noexcept { return std::has_single_bit(nslots); }
[[nodiscard]] constexpr bool is_valid_stride(std::uint32_t stride) noexcept {
  return stride != 0 && stride % stride_alignment == 0;
}

// seqCommit = seq << 1 | committed.
[[nodiscard]] constexpr std::uint64_t in_progress_word(std::uint64_t seq) noexcept { return seq << 1; }
[[nodiscard]] constexpr std::uint64_t committed_word(std::uint64_t seq) noexcept { return seq << 1 | 1; }
[[nodiscard]] constexpr std::uint64_t seq_of(std::uint64_t seq_commit) noexcept { return seq_commit >> 1; }
[[nodiscard]] constexpr bool is_committed(std::uint64_t seq_commit) noexcept { return (seq_commit & 1) != 0; }

// --- Superblock ---

struct Superblock {
  std::uint64_t magic = protocol::magic;
  std::uint32_t layout_version = protocol::layout_version;
  std::uint64_t epoch = 0;
  std::uint32_t stream_id = 0;
  RegionType region_type = RegionType::header_ring;
  std::uint16_t pool_id = 0;
  std::uint32_t nslots = 0;
  std::uint32_t slot_bytes = 0;
  std::uint32_t stride_bytes = 0;
  std::uint64_t pid = 0;
  std::uint64_t start_timestamp_ns = 0;
  std::uint64_t activity_timestamp_ns = 0;

  bool operator==(const Superblock&) const = default;
};

// The first field that no region may hold; which values this region must hold is for shm to compare.
enum class SuperblockFault : std::uint8_t {
  bad_magic,
  bad_layout_version,
  bad_region_type,
  bad_pool_id,
  bad_nslots,
  bad_slot_bytes,
  bad_stride_bytes,
};
[[nodiscard]] std::string_view to_string(SuperblockFault fault) noexcept;

// A pool may state its stride or 0xFFFFFFFF as slot_bytes (tensor_pool_c writes the latter); the value is kept as it
// came.
inline constexpr std::uint32_t unstated_slot_bytes = 0xFFFFFFFF;

[[nodiscard]] Expected<Superblock, SuperblockFault> decode_superblock(
    std::span<const std::byte, superblock_bytes> bytes) noexcept;
void encode_superblock(const Superblock& superblock, std::span<std::byte, superblock_bytes> out) noexcept;

// --- Header slot ---

struct SlotHeader {
  std::uint64_t seq_commit = 0;
  std::uint32_t values_len_bytes = 0;
  std::uint32_t payload_slot = 0;
  std::uint16_t pool_id = 0;
  std::uint32_t payload_offset = 0;
  std::uint64_t timestamp_ns = 0;
  std::uint32_t meta_version = 0;
  TensorLayout layout{};  // as it came: TensorLayout::check judges it

  bool operator==(const SlotHeader&) const = default;
};

enum class SlotHeaderFault : std::uint8_t {
  bad_header_length,   // the embedded header is not 192 bytes
  bad_message_header,  // the embedded header is not TensorHeader of schema 900, version 1, block 184
  bad_payload_offset,  // not 0
};
[[nodiscard]] std::string_view to_string(SlotHeaderFault fault) noexcept;

[[nodiscard]] Expected<SlotHeader, SlotHeaderFault> decode_slot_header(
    std::span<const std::byte, header_slot_bytes> bytes) noexcept;
// Writes all 256 bytes, padding as zeros, the sequence word included.
void encode_slot_header(const SlotHeader& header, std::span<std::byte, header_slot_bytes> out) noexcept;

// The first words of a slot, behind the sequence word, tell of its frame; the others follow from the layout alone.
struct FrameFields {
  std::uint32_t values_len_bytes = 0;
  std::uint32_t payload_slot = 0;
  std::uint16_t pool_id = 0;
  std::uint32_t payload_offset = 0;
  std::uint64_t timestamp_ns = 0;
  std::uint32_t meta_version = 0;

  bool operator==(const FrameFields&) const = default;
};
using FrameWords = std::array<std::uint64_t, 4>;
inline constexpr std::size_t layout_words_at = 5;
inline constexpr std::size_t layout_words = header_slot_words - layout_words_at;
// All around them is padding, which nobody judges.
inline constexpr std::size_t judged_words_at = 7;
inline constexpr std::size_t judged_words = 12;

// As they lie in the slot, packed: the time begins in the last two bytes of its word, and so does the version.
[[nodiscard]] constexpr FrameWords pack(const FrameFields& fields) noexcept {
  return {fields.values_len_bytes | std::uint64_t{fields.payload_slot} << 32,
          fields.pool_id | std::uint64_t{fields.payload_offset} << 16 | fields.timestamp_ns << 48,
          fields.timestamp_ns >> 16 | std::uint64_t{fields.meta_version} << 48,
          std::uint64_t{fields.meta_version} >> 16};
}
[[nodiscard]] constexpr FrameFields unpack(const FrameWords& words) noexcept {
  return {.values_len_bytes = static_cast<std::uint32_t>(words[0]),
          .payload_slot = static_cast<std::uint32_t>(words[0] >> 32),
          .pool_id = static_cast<std::uint16_t>(words[1]),
          .payload_offset = static_cast<std::uint32_t>(words[1] >> 16),
          .timestamp_ns = words[1] >> 48 | words[2] << 16,
          .meta_version = static_cast<std::uint32_t>(words[2] >> 48 | words[3] << 16)};
}

// A whole header slot as bytes, by the name it has in the user's documents: the thing to copy a slot into.
struct alignas(8) TensorSlotHeader256 {
  std::array<std::byte, header_slot_bytes> bytes{};

  [[nodiscard]] std::uint64_t seq_commit() const noexcept;
  [[nodiscard]] std::uint64_t seq() const noexcept { return seq_of(seq_commit()); }
  [[nodiscard]] bool committed() const noexcept { return is_committed(seq_commit()); }
  [[nodiscard]] std::uint32_t values_len_bytes() const noexcept;
  [[nodiscard]] std::uint32_t payload_slot() const noexcept;
  [[nodiscard]] std::uint16_t pool_id() const noexcept;
  [[nodiscard]] std::uint64_t timestamp_ns() const noexcept;
  [[nodiscard]] Expected<SlotHeader, SlotHeaderFault> decode() const noexcept { return decode_slot_header(bytes); }
};
static_assert(sizeof(TensorSlotHeader256) == header_slot_bytes && std::is_trivially_copyable_v<TensorSlotHeader256>);

}  // namespace tensorpool::protocol
