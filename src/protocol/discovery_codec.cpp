// Schema 910: which streams there are, and where.
#include "protocol/message_codec.hpp"
#include "protocol/payload_pool_layout.hpp"

namespace tensorpool::protocol {
namespace wire {

template <>
struct Layout<DiscoveryRequest> {
  using M = DiscoveryRequest;
  static constexpr auto block = block_of(&M::request_id, &M::client_id, &M::response_stream_id, &M::stream_id,
                                         &M::producer_id, &M::data_source_id);
  static constexpr auto tail = tail_of(&M::tags, &M::response_channel, &M::data_source_name);
};

template <>
struct Layout<DiscoveryResult> {
  using G = DiscoveryResult;
  static constexpr auto block =
      block_of(&G::stream_id, &G::producer_id, &G::epoch, &G::layout_version, &G::header_nslots, &G::header_slot_bytes,
               &G::max_dims, &G::data_source_id, &G::driver_control_stream_id);
  static constexpr auto tail = tail_of(&G::payload_pools, &G::tags, &G::header_region_uri, &G::data_source_name,
                                       &G::driver_instance_id, &G::driver_control_channel);
};

template <>
struct Layout<DiscoveryResponse> {
  using M = DiscoveryResponse;
  static constexpr auto block = block_of(&M::request_id, &M::status);
  static constexpr auto tail = tail_of(&M::results, &M::error_message);
};

}  // namespace wire

template struct Codec<DiscoveryRequest>;
template struct Codec<DiscoveryResponse>;

}  // namespace tensorpool::protocol
