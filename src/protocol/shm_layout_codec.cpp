#include <algorithm>

#include "base/bytes.hpp"
#include "protocol/message_codec.hpp"
#include "protocol/shm_layout.hpp"

namespace tensorpool::protocol {
namespace wire {

// Body 900:50, packed: only the activity word at its end lies where an atomic can reach it.
template <>
struct Layout<Superblock> {
  using S = Superblock;
  static constexpr auto block = block_of(&S::magic, &S::layout_version, &S::epoch, &S::stream_id,
                                         unjudged(&S::region_type), &S::pool_id, &S::nslots, &S::slot_bytes,
                                         &S::stride_bytes, &S::pid, &S::start_timestamp_ns, &S::activity_timestamp_ns);
};
static_assert(block_size<Superblock> == superblock_bytes);

}  // namespace wire

namespace {

// Body 900:51 (SlotHeader) ...
constexpr std::size_t values_len_bytes_at = 8;
constexpr std::size_t payload_slot_at = 12;
constexpr std::size_t pool_id_at = 16;
constexpr std::size_t payload_offset_at = 18;
constexpr std::size_t timestamp_ns_at = 22;
constexpr std::size_t meta_version_at = 30;
constexpr std::size_t header_length_at = 60;
// ... whose var-data is a whole message 900:52 (TensorHeader).
constexpr std::size_t message_header_at = 64;
constexpr std::size_t dtype_at = 72;
constexpr std::size_t major_order_at = 74;
constexpr std::size_t ndims_at = 76;
constexpr std::size_t progress_unit_at = 78;
constexpr std::size_t progress_stride_bytes_at = 79;
constexpr std::size_t dims_at = 83;
constexpr std::size_t strides_at = 115;
constexpr std::size_t pad_at = 147;

constexpr std::uint16_t tensor_header_template_id = 52;
constexpr std::uint16_t tensor_header_block_length = 184;
constexpr std::uint32_t tensor_header_bytes = message_header_length + tensor_header_block_length;
constexpr MessageHeader tensor_message_header{tensor_header_block_length, tensor_header_template_id, control_schema_id,
                                              schema_version};

using Dims = std::array<std::int32_t, max_dims>;
static_assert(sizeof(Dims) == 32 && dims_at + sizeof(Dims) == strides_at && strides_at + sizeof(Dims) == pad_at);
static_assert(message_header_at + tensor_header_bytes == header_slot_bytes);
static_assert(header_length_at + sizeof tensor_header_bytes == message_header_at);
static_assert(judged_words_at >= layout_words_at && header_length_at >= judged_words_at * sizeof(std::uint64_t) &&
              pad_at <= (judged_words_at + judged_words) * sizeof(std::uint64_t));

std::optional<SuperblockFault> fault_of_pool(const Superblock& pool) noexcept {
  if (!is_valid_stride(pool.stride_bytes)) {
    return SuperblockFault::bad_stride_bytes;
  }
  if (pool.slot_bytes != pool.stride_bytes && pool.slot_bytes != unstated_slot_bytes) {
    return SuperblockFault::bad_slot_bytes;
  }
  return std::nullopt;
}

std::optional<SuperblockFault> fault_of_ring(const Superblock& ring) noexcept {
  if (ring.pool_id != 0) {
    return SuperblockFault::bad_pool_id;
  }
  if (ring.slot_bytes != header_slot_bytes) {
    return SuperblockFault::bad_slot_bytes;
  }
  return ring.stride_bytes == 0 ? std::nullopt : std::optional(SuperblockFault::bad_stride_bytes);
}

std::optional<SuperblockFault> fault_of(const Superblock& superblock) noexcept {
  if (superblock.magic != magic) {
    return SuperblockFault::bad_magic;
  }
  if (superblock.layout_version != layout_version) {
    return SuperblockFault::bad_layout_version;
  }
  if (!is_valid(superblock.region_type)) {
    return SuperblockFault::bad_region_type;
  }
  if (!is_valid_nslots(superblock.nslots)) {
    return SuperblockFault::bad_nslots;
  }
  return superblock.region_type == RegionType::header_ring ? fault_of_ring(superblock) : fault_of_pool(superblock);
}

}  // namespace

std::string_view to_string(SuperblockFault fault) noexcept {
  switch (fault) {
    case SuperblockFault::bad_magic:
      return "magic is not that of a tensorpool region";
    case SuperblockFault::bad_layout_version:
      return "layout_version is not 1";
    case SuperblockFault::bad_region_type:
      return "region_type is neither HEADER_RING nor PAYLOAD_POOL";
    case SuperblockFault::bad_pool_id:
      return "pool_id of a header ring is not 0";
    case SuperblockFault::bad_nslots:
      return "nslots is not a power of two";
    case SuperblockFault::bad_slot_bytes:
      return "slot_bytes is neither the ring's 256 nor the pool's stride";
    case SuperblockFault::bad_stride_bytes:
      return "stride_bytes is neither the ring's 0 nor a multiple of 64";
  }
  return "unknown";
}

Expected<Superblock, SuperblockFault> decode_superblock(std::span<const std::byte, superblock_bytes> bytes) noexcept {
  Superblock superblock;
  static_cast<void>(wire::get_block(bytes.data(), superblock));  // no field is judged while reading
  if (const auto fault = fault_of(superblock)) {
    return *fault;
  }
  return superblock;
}

void encode_superblock(const Superblock& superblock, std::span<std::byte, superblock_bytes> out) noexcept {
  wire::put_block(superblock, out.data());
}

std::string_view to_string(SlotHeaderFault fault) noexcept {
  switch (fault) {
    case SlotHeaderFault::bad_header_length:
      return "the embedded tensor header is not 192 bytes";
    case SlotHeaderFault::bad_message_header:
      return "the embedded header is not a TensorHeader of version 1";
    case SlotHeaderFault::bad_payload_offset:
      return "payload_offset is not 0";
  }
  return "unknown";
}

Expected<SlotHeader, SlotHeaderFault> decode_slot_header(std::span<const std::byte, header_slot_bytes> bytes) noexcept {
  const std::byte* const slot = bytes.data();
  if (load_le<std::uint32_t>(slot + header_length_at) != tensor_header_bytes) {
    return SlotHeaderFault::bad_header_length;
  }
  if (load_le<MessageHeader>(slot + message_header_at) != tensor_message_header) {
    return SlotHeaderFault::bad_message_header;
  }
  if (load_le<std::uint32_t>(slot + payload_offset_at) != 0) {
    return SlotHeaderFault::bad_payload_offset;
  }
  return SlotHeader{
      .seq_commit = load_le<std::uint64_t>(slot + seq_commit_offset),
      .values_len_bytes = load_le<std::uint32_t>(slot + values_len_bytes_at),
      .payload_slot = load_le<std::uint32_t>(slot + payload_slot_at),
      .pool_id = load_le<std::uint16_t>(slot + pool_id_at),
      .payload_offset = 0,
      .timestamp_ns = load_le<std::uint64_t>(slot + timestamp_ns_at),
      .meta_version = load_le<std::uint32_t>(slot + meta_version_at),
      .layout = {.dtype = load_le<Dtype>(slot + dtype_at),
                 .major_order = load_le<MajorOrder>(slot + major_order_at),
                 .ndims = load_le<std::uint8_t>(slot + ndims_at),
                 .progress_unit = load_le<ProgressUnit>(slot + progress_unit_at),
                 .progress_stride_bytes = load_le<std::uint32_t>(slot + progress_stride_bytes_at),
                 .dims = load_le<Dims>(slot + dims_at),
                 .strides = load_le<Dims>(slot + strides_at)},
  };
}

void encode_slot_header(const SlotHeader& header, std::span<std::byte, header_slot_bytes> out) noexcept {
  std::ranges::fill(out, std::byte{0});
  std::byte* const slot = out.data();
  store_le(slot + seq_commit_offset, header.seq_commit);
  store_le(slot + values_len_bytes_at, header.values_len_bytes);
  store_le(slot + payload_slot_at, header.payload_slot);
  store_le(slot + pool_id_at, header.pool_id);
  store_le(slot + payload_offset_at, header.payload_offset);
  store_le(slot + timestamp_ns_at, header.timestamp_ns);
  store_le(slot + meta_version_at, header.meta_version);
  store_le(slot + header_length_at, tensor_header_bytes);
  store_le(slot + message_header_at, tensor_message_header);
  store_le(slot + dtype_at, header.layout.dtype);
  store_le(slot + major_order_at, header.layout.major_order);
  store_le(slot + ndims_at, header.layout.ndims);
  store_le(slot + progress_unit_at, header.layout.progress_unit);
  store_le(slot + progress_stride_bytes_at, header.layout.progress_stride_bytes);
  store_le(slot + dims_at, header.layout.dims);
  store_le(slot + strides_at, header.layout.strides);
}

std::uint64_t TensorSlotHeader256::seq_commit() const noexcept {
  return load_le<std::uint64_t>(bytes.data() + seq_commit_offset);
}
std::uint32_t TensorSlotHeader256::values_len_bytes() const noexcept {
  return load_le<std::uint32_t>(bytes.data() + values_len_bytes_at);
}
std::uint32_t TensorSlotHeader256::payload_slot() const noexcept {
  return load_le<std::uint32_t>(bytes.data() + payload_slot_at);
}
std::uint16_t TensorSlotHeader256::pool_id() const noexcept {
  return load_le<std::uint16_t>(bytes.data() + pool_id_at);
}
std::uint64_t TensorSlotHeader256::timestamp_ns() const noexcept {
  return load_le<std::uint64_t>(bytes.data() + timestamp_ns_at);
}

}  // namespace tensorpool::protocol
