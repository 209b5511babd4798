// Schema 904: which frames a frame was made from.
#include "protocol/message_codec.hpp"

namespace tensorpool::protocol {
namespace wire {

template <>
struct Layout<TraceParent> : NoTail {
  using G = TraceParent;
  static constexpr auto block = block_of(&G::trace_id);
};

template <>
struct Layout<TraceLinkSet> {
  using M = TraceLinkSet;
  static constexpr auto block = block_of(&M::stream_id, &M::epoch, &M::seq, &M::trace_id);
  static constexpr auto tail = tail_of(&M::parents);
};

}  // namespace wire

template struct Codec<TraceLinkSet>;

}  // namespace tensorpool::protocol
