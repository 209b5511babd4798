// Schema 900: what streams say of themselves and of their frames.
#include "protocol/message_codec.hpp"
#include "protocol/payload_pool_layout.hpp"

namespace tensorpool::protocol {
namespace wire {

template <>
struct Layout<ShmPoolAnnounce> {
  using M = ShmPoolAnnounce;
  static constexpr auto block =
      block_of(&M::stream_id, &M::producer_id, &M::epoch, &M::announce_timestamp_ns, &M::announce_clock_domain,
               &M::layout_version, &M::header_nslots, &M::header_slot_bytes);
  static constexpr auto tail = tail_of(&M::payload_pools, &M::header_region_uri);
};

template <>
struct Layout<ConsumerHello> {
  using M = ConsumerHello;
  static constexpr auto block =
      block_of(&M::stream_id, &M::consumer_id, &M::supports_shm, &M::supports_progress, &M::mode, &M::max_rate_hz,
               &M::expected_layout_version, &M::progress_interval_us, &M::progress_bytes_delta,
               &M::progress_major_delta_units, &M::descriptor_stream_id, &M::control_stream_id);
  static constexpr auto tail = tail_of(&M::descriptor_channel, &M::control_channel);
};

template <>
struct Layout<ConsumerConfig> {
  using M = ConsumerConfig;
  static constexpr auto block =
      block_of(&M::stream_id, &M::consumer_id, &M::use_shm, &M::mode, &M::descriptor_stream_id, &M::control_stream_id);
  static constexpr auto tail = tail_of(&M::payload_fallback_uri, &M::descriptor_channel, &M::control_channel);
};

template <>
struct Layout<FrameDescriptor> : NoTail {
  using M = FrameDescriptor;
  static constexpr auto block =
      block_of(&M::stream_id, &M::epoch, &M::seq, &M::timestamp_ns, &M::meta_version, trace_id(&M::trace_id));
};

template <>
struct Layout<QosConsumer> : NoTail {
  using M = QosConsumer;
  static constexpr auto block =
      block_of(&M::stream_id, &M::consumer_id, &M::epoch, &M::last_seq_seen, &M::drops_gap, &M::drops_late, &M::mode);
};

template <>
struct Layout<QosProducer> : NoTail {
  using M = QosProducer;
  static constexpr auto block = block_of(&M::stream_id, &M::producer_id, &M::epoch, &M::current_seq, &M::watermark);
};

template <>
struct Layout<DataSourceAnnounce> {
  using M = DataSourceAnnounce;
  static constexpr auto block = block_of(&M::stream_id, &M::producer_id, &M::epoch, &M::meta_version);
  static constexpr auto tail = tail_of(&M::name, &M::summary);
};

template <>
struct Layout<DataSourceAttribute> {
  using G = DataSourceAttribute;
  static constexpr auto block = block_of();
  static constexpr auto tail = tail_of(&G::key, &G::format, &G::value);
};

template <>
struct Layout<DataSourceMeta> {
  using M = DataSourceMeta;
  static constexpr auto block = block_of(&M::stream_id, &M::meta_version, &M::timestamp_ns);
  static constexpr auto tail = tail_of(&M::attributes);
};

template <>
struct Layout<ControlResponse> {
  using M = ControlResponse;
  static constexpr auto block = block_of(&M::correlation_id, &M::code);
  static constexpr auto tail = tail_of(&M::error_message);
};

template <>
struct Layout<MetaBlobAnnounce> : NoTail {
  using M = MetaBlobAnnounce;
  static constexpr auto block = block_of(&M::stream_id, &M::meta_version, &M::blob_type, &M::total_len, &M::checksum);
};

template <>
struct Layout<FrameProgress> : NoTail {
  using M = FrameProgress;
  static constexpr auto block = block_of(&M::stream_id, &M::epoch, &M::seq, &M::payload_bytes_filled, &M::state);
};

template <>
struct Layout<MetaBlobChunk> {
  using M = MetaBlobChunk;
  static constexpr auto block = block_of(&M::stream_id, &M::meta_version, &M::chunk_offset);
  static constexpr auto tail = tail_of(&M::bytes);
};

template <>
struct Layout<MetaBlobComplete> : NoTail {
  using M = MetaBlobComplete;
  static constexpr auto block = block_of(&M::stream_id, &M::meta_version, &M::checksum);
};

}  // namespace wire

template struct Codec<ShmPoolAnnounce>;
template struct Codec<ConsumerHello>;
template struct Codec<ConsumerConfig>;
template struct Codec<FrameDescriptor>;
template struct Codec<QosConsumer>;
template struct Codec<QosProducer>;
template struct Codec<DataSourceAnnounce>;
template struct Codec<DataSourceMeta>;
template struct Codec<ControlResponse>;
template struct Codec<MetaBlobAnnounce>;
template struct Codec<FrameProgress>;
template struct Codec<MetaBlobChunk>;
template struct Codec<MetaBlobComplete>;

}  // namespace tensorpool::protocol
