#include "protocol/descriptor_bytes.hpp"

namespace tensorpool::protocol {

bool decode_descriptor(std::span<const std::byte> bytes, DescriptorFields& to) noexcept {
  const auto decoded = decode<FrameDescriptor>(bytes);
  if (!decoded) return false;
  to = {.stream_id = decoded->stream_id,
        .epoch = decoded->epoch,
        .seq = decoded->seq,
        .timestamp_ns = decoded->timestamp_ns.value_or(DescriptorFields::no_timestamp),
        .meta_version = decoded->meta_version.value_or(DescriptorFields::no_meta_version),
        .trace_id = decoded->trace_id.value_or(DescriptorFields::no_trace_id)};
  return true;
}

}  // namespace tensorpool::protocol
