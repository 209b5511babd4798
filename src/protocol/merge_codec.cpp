// Schema 903: how the frames of several streams are joined into one.
#include "protocol/message_codec.hpp"

namespace tensorpool::protocol {
namespace wire {

template <>
struct Layout<SequenceMergeRule> : NoTail {
  using G = SequenceMergeRule;
  static constexpr auto block = block_of(&G::input_stream_id, &G::rule_type, &G::offset, &G::window_size);
};

template <>
struct Layout<SequenceMergeMapAnnounce> {
  using M = SequenceMergeMapAnnounce;
  static constexpr auto block = block_of(&M::out_stream_id, &M::epoch, &M::stale_timeout_ns);
  static constexpr auto tail = tail_of(&M::rules);
};

template <>
struct Layout<SequenceMergeMapRequest> : NoTail {
  using M = SequenceMergeMapRequest;
  static constexpr auto block = block_of(&M::out_stream_id, &M::epoch);
};

template <>
struct Layout<TimestampMergeRule> : NoTail {
  using G = TimestampMergeRule;
  static constexpr auto block =
      block_of(&G::input_stream_id, &G::rule_type, &G::timestamp_source, &G::offset_ns, &G::window_ns);
};

template <>
struct Layout<TimestampMergeMapAnnounce> {
  using M = TimestampMergeMapAnnounce;
  static constexpr auto block =
      block_of(&M::out_stream_id, &M::epoch, &M::stale_timeout_ns, &M::clock_domain, &M::lateness_ns);
  static constexpr auto tail = tail_of(&M::rules);
};

template <>
struct Layout<TimestampMergeMapRequest> : NoTail {
  using M = TimestampMergeMapRequest;
  static constexpr auto block = block_of(&M::out_stream_id, &M::epoch);
};

}  // namespace wire

template struct Codec<SequenceMergeMapAnnounce>;
template struct Codec<SequenceMergeMapRequest>;
template struct Codec<TimestampMergeMapAnnounce>;
template struct Codec<TimestampMergeMapRequest>;

}  // namespace tensorpool::protocol
