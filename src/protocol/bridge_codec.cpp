// Schema 902: frames on their way to another host.
#include "protocol/message_codec.hpp"

namespace tensorpool::protocol {
namespace wire {

template <>
struct Layout<BridgeFrameChunk> {
  using M = BridgeFrameChunk;
  static constexpr auto block =
      block_of(&M::stream_id, &M::epoch, &M::seq, trace_id(&M::trace_id), &M::chunk_index, &M::chunk_count,
               &M::chunk_offset, &M::chunk_length, &M::payload_length, &M::payload_crc32c, &M::header_included);
  static constexpr auto tail = tail_of(at_most<max_bridge_header_length>(&M::header_bytes), &M::payload_bytes);
};

}  // namespace wire

template struct Codec<BridgeFrameChunk>;

}  // namespace tensorpool::protocol
