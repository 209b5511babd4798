#include "protocol/codec.hpp"

#include <array>

#include "base/bytes.hpp"

namespace tensorpool::protocol {
namespace {

// A request of any version has its correlation id first in the block: only fields at the end may ever be added.
constexpr bool has_correlation_id_first(const MessageHeader& header) noexcept {
  return header.schema_id == driver_schema_id &&
         (header.template_id == ShmAttachRequest::template_id || header.template_id == ShmDetachRequest::template_id ||
          header.template_id == ShmDriverShutdownRequest::template_id);
}

struct NameRow {
  std::uint16_t schema_id;
  std::uint16_t template_id;
  std::string_view name;
};

template <class Message>
constexpr NameRow row_of(std::string_view name) noexcept {
  return {Message::schema_id, Message::template_id, name};
}

constexpr std::array names{
    row_of<ShmPoolAnnounce>("ShmPoolAnnounce"),
    row_of<ConsumerHello>("ConsumerHello"),
    row_of<ConsumerConfig>("ConsumerConfig"),
    row_of<FrameDescriptor>("FrameDescriptor"),
    row_of<QosConsumer>("QosConsumer"),
    row_of<QosProducer>("QosProducer"),
    row_of<DataSourceAnnounce>("DataSourceAnnounce"),
    row_of<DataSourceMeta>("DataSourceMeta"),
    row_of<ControlResponse>("ControlResponse"),
    row_of<MetaBlobAnnounce>("MetaBlobAnnounce"),
    row_of<FrameProgress>("FrameProgress"),
    row_of<MetaBlobChunk>("MetaBlobChunk"),
    row_of<MetaBlobComplete>("MetaBlobComplete"),
    row_of<ShmAttachRequest>("ShmAttachRequest"),
    row_of<ShmAttachResponse>("ShmAttachResponse"),
    row_of<ShmDetachRequest>("ShmDetachRequest"),
    row_of<ShmDetachResponse>("ShmDetachResponse"),
    row_of<ShmLeaseKeepalive>("ShmLeaseKeepalive"),
    row_of<ShmDriverShutdown>("ShmDriverShutdown"),
    row_of<ShmLeaseRevoked>("ShmLeaseRevoked"),
    row_of<ShmDriverShutdownRequest>("ShmDriverShutdownRequest"),
    row_of<BridgeFrameChunk>("BridgeFrameChunk"),
    row_of<SequenceMergeMapAnnounce>("SequenceMergeMapAnnounce"),
    row_of<SequenceMergeMapRequest>("SequenceMergeMapRequest"),
    row_of<TimestampMergeMapAnnounce>("TimestampMergeMapAnnounce"),
    row_of<TimestampMergeMapRequest>("TimestampMergeMapRequest"),
    row_of<TraceLinkSet>("TraceLinkSet"),
    row_of<DiscoveryRequest>("DiscoveryRequest"),
    row_of<DiscoveryResponse>("DiscoveryResponse"),
};
static_assert(names.size() == 29);

}  // namespace

std::string_view to_string(DecodeFault fault) noexcept {
  switch (fault) {
    case DecodeFault::none:
      return "none";
    case DecodeFault::too_short:
      return "too short";
    case DecodeFault::unknown_schema:
      return "unknown schema";
    case DecodeFault::unknown_template:
      return "unknown template";
    case DecodeFault::newer_version:
      return "newer version";
    case DecodeFault::short_block:
      return "short block";
    case DecodeFault::bad_length:
      return "bad length";
    case DecodeFault::bad_enum:
      return "unknown enum value";
    case DecodeFault::bad_value:
      return "bad value";
  }
  return "unknown";
}

std::string_view message_name(std::uint16_t schema_id, std::uint16_t template_id) noexcept {
  for (const NameRow& row : names) {
    if (row.schema_id == schema_id && row.template_id == template_id) return row.name;
  }
  return "unknown message";
}

Expected<MessageHeader, DecodeFault> peek(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < message_header_length) {
    return DecodeFault::too_short;
  }
  return load_le<MessageHeader>(bytes.data());
}

std::optional<std::int64_t> peek_correlation_id(std::span<const std::byte> bytes) noexcept {
  const auto header = peek(bytes);
  constexpr std::size_t needed = sizeof(std::int64_t);
  if (!header || !has_correlation_id_first(*header) || header->block_length < needed ||
      bytes.size() < message_header_length + needed) {
    return std::nullopt;
  }
  return load_le<std::int64_t>(bytes.data() + message_header_length);
}

}  // namespace tensorpool::protocol
