// A FrameDescriptor as it travels, for the frame path: what the descriptors of an epoch have in common is encoded once,
// and what differs is stored, or loaded, at its place. The same bytes as the codec's (wire 1.2, body 900:4).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "base/bytes.hpp"
#include "protocol/codec.hpp"

namespace tensorpool::protocol {

inline constexpr std::size_t descriptor_bytes = fixed_length<FrameDescriptor>;
using DescriptorBytes = std::array<std::byte, descriptor_bytes>;

namespace descriptor {
inline constexpr std::size_t stream_id_at = 8;
inline constexpr std::size_t epoch_at = 12;
inline constexpr std::size_t seq_at = 20;
inline constexpr std::size_t timestamp_ns_at = 28;
inline constexpr std::size_t meta_version_at = 36;
inline constexpr std::size_t trace_id_at = 40;
static_assert(trace_id_at + sizeof(std::uint64_t) == descriptor_bytes);
inline constexpr std::uint64_t header_word = std::bit_cast<std::uint64_t>(MessageHeader{
    FrameDescriptor::block_length, FrameDescriptor::template_id, FrameDescriptor::schema_id, schema_version});
}  // namespace descriptor

// A descriptor's fields as they travel, null values among them.
struct DescriptorFields {
  static constexpr std::uint64_t no_timestamp = ~std::uint64_t{0};
  static constexpr std::uint32_t no_meta_version = ~std::uint32_t{0};
  static constexpr std::uint64_t no_trace_id = 0;

  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  std::uint64_t timestamp_ns = no_timestamp;
  std::uint32_t meta_version = no_meta_version;
  std::uint64_t trace_id = no_trace_id;

  bool operator==(const DescriptorFields&) const = default;
};

// Of a frame whose time and version are known.
class DescriptorTemplate {
 public:
  DescriptorTemplate(std::uint32_t stream_id, std::uint64_t epoch) noexcept {
    FrameDescriptor common;
    common.stream_id = stream_id;
    common.epoch = epoch;
    static_cast<void>(encode(common, bytes_));
  }

  // REQUIRES: descriptor_bytes bytes at `to`.
  void write(std::byte* to, std::uint64_t seq, std::uint64_t timestamp_ns, std::uint32_t meta_version,
             const std::optional<std::uint64_t>& trace_id) const noexcept {
    std::memcpy(to, bytes_.data(), descriptor::seq_at);
    store_le(to + descriptor::seq_at, seq);
    store_le(to + descriptor::timestamp_ns_at, timestamp_ns);
    store_le(to + descriptor::meta_version_at, meta_version);
    store_le(to + descriptor::trace_id_at, trace_id.value_or(DescriptorFields::no_trace_id));
  }

 private:
  DescriptorBytes bytes_{};
};

// By the codec: of any form that it accepts.
[[nodiscard]] bool decode_descriptor(std::span<const std::byte> bytes, DescriptorFields& to) noexcept;

// The same, with the form that everybody sends read at once. False: the bytes are no FrameDescriptor.
[[nodiscard]] inline bool read_descriptor(std::span<const std::byte> bytes, DescriptorFields& to) noexcept {
  const std::byte* const from = bytes.data();
  if (bytes.size() != descriptor_bytes || load_le<std::uint64_t>(from) != descriptor::header_word) [[unlikely]] {
    return decode_descriptor(bytes, to);
  }
  to.stream_id = load_le<std::uint32_t>(from + descriptor::stream_id_at);
  to.epoch = load_le<std::uint64_t>(from + descriptor::epoch_at);
  to.seq = load_le<std::uint64_t>(from + descriptor::seq_at);
  to.timestamp_ns = load_le<std::uint64_t>(from + descriptor::timestamp_ns_at);
  to.meta_version = load_le<std::uint32_t>(from + descriptor::meta_version_at);
  to.trace_id = load_le<std::uint64_t>(from + descriptor::trace_id_at);
  return true;
}

}  // namespace tensorpool::protocol
