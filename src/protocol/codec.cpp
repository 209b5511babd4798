#include "protocol/codec.hpp"

#include "base/bytes.hpp"

namespace tensorpool::protocol {
namespace {

// A request of any version has its correlation id first in the block: only fields at the end may ever be added.
constexpr bool has_correlation_id_first(const MessageHeader& header) noexcept {
  return header.schema_id == driver_schema_id &&
         (header.template_id == ShmAttachRequest::template_id || header.template_id == ShmDetachRequest::template_id ||
          header.template_id == ShmDriverShutdownRequest::template_id);
}

constexpr std::string_view control_message_name(std::uint16_t template_id) noexcept {
  switch (template_id) {
    case ShmPoolAnnounce::template_id:
      return "ShmPoolAnnounce";
    case ConsumerHello::template_id:
      return "ConsumerHello";
    case ConsumerConfig::template_id:
      return "ConsumerConfig";
    case FrameDescriptor::template_id:
      return "FrameDescriptor";
    case QosConsumer::template_id:
      return "QosConsumer";
    case QosProducer::template_id:
      return "QosProducer";
    case DataSourceAnnounce::template_id:
      return "DataSourceAnnounce";
    case DataSourceMeta::template_id:
      return "DataSourceMeta";
    case ControlResponse::template_id:
      return "ControlResponse";
    case MetaBlobAnnounce::template_id:
      return "MetaBlobAnnounce";
    case FrameProgress::template_id:
      return "FrameProgress";
    case MetaBlobChunk::template_id:
      return "MetaBlobChunk";
    case MetaBlobComplete::template_id:
      return "MetaBlobComplete";
    default:
      return {};
  }
}

constexpr std::string_view driver_message_name(std::uint16_t template_id) noexcept {
  switch (template_id) {
    case ShmAttachRequest::template_id:
      return "ShmAttachRequest";
    case ShmAttachResponse::template_id:
      return "ShmAttachResponse";
    case ShmDetachRequest::template_id:
      return "ShmDetachRequest";
    case ShmDetachResponse::template_id:
      return "ShmDetachResponse";
    case ShmLeaseKeepalive::template_id:
      return "ShmLeaseKeepalive";
    case ShmDriverShutdown::template_id:
      return "ShmDriverShutdown";
    case ShmLeaseRevoked::template_id:
      return "ShmLeaseRevoked";
    case ShmDriverShutdownRequest::template_id:
      return "ShmDriverShutdownRequest";
    default:
      return {};
  }
}

constexpr std::string_view merge_message_name(std::uint16_t template_id) noexcept {
  switch (template_id) {
    case SequenceMergeMapAnnounce::template_id:
      return "SequenceMergeMapAnnounce";
    case SequenceMergeMapRequest::template_id:
      return "SequenceMergeMapRequest";
    case TimestampMergeMapAnnounce::template_id:
      return "TimestampMergeMapAnnounce";
    case TimestampMergeMapRequest::template_id:
      return "TimestampMergeMapRequest";
    default:
      return {};
  }
}

constexpr std::string_view discovery_message_name(std::uint16_t template_id) noexcept {
  switch (template_id) {
    case DiscoveryRequest::template_id:
      return "DiscoveryRequest";
    case DiscoveryResponse::template_id:
      return "DiscoveryResponse";
    default:
      return {};
  }
}

constexpr std::string_view known_message_name(std::uint16_t schema_id, std::uint16_t template_id) noexcept {
  switch (schema_id) {
    case control_schema_id:
      return control_message_name(template_id);
    case driver_schema_id:
      return driver_message_name(template_id);
    case bridge_schema_id:
      return template_id == BridgeFrameChunk::template_id ? "BridgeFrameChunk" : "";
    case merge_schema_id:
      return merge_message_name(template_id);
    case trace_schema_id:
      return template_id == TraceLinkSet::template_id ? "TraceLinkSet" : "";
    case discovery_schema_id:
      return discovery_message_name(template_id);
    default:
      return {};
  }
}

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
  const std::string_view name = known_message_name(schema_id, template_id);
  return name.empty() ? "unknown message" : name;
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
