// Schema 901: the driver and its clients.
#include "protocol/message_codec.hpp"
#include "protocol/payload_pool_layout.hpp"

namespace tensorpool::protocol {
namespace wire {

template <>
struct Layout<ShmAttachRequest> : NoTail {
  using M = ShmAttachRequest;
  static constexpr auto block =
      block_of(&M::correlation_id, &M::stream_id, &M::client_id, unjudged(&M::role), &M::expected_layout_version,
               unjudged(&M::publish_mode), unjudged(&M::require_hugepages), &M::desired_node_id);
};

template <>
struct Layout<ShmAttachResponse> {
  using M = ShmAttachResponse;
  static constexpr auto block =
      block_of(&M::correlation_id, &M::code, &M::lease_id, &M::lease_expiry_timestamp_ns, &M::stream_id, &M::epoch,
               &M::layout_version, &M::header_nslots, &M::header_slot_bytes, &M::node_id);
  static constexpr auto tail = tail_of(&M::payload_pools, &M::header_region_uri, &M::error_message);
};

template <>
struct Layout<ShmDetachRequest> : NoTail {
  using M = ShmDetachRequest;
  static constexpr auto block = block_of(&M::correlation_id, &M::lease_id, &M::stream_id, &M::client_id, &M::role);
};

template <>
struct Layout<ShmDetachResponse> {
  using M = ShmDetachResponse;
  static constexpr auto block = block_of(&M::correlation_id, &M::code);
  static constexpr auto tail = tail_of(&M::error_message);
};

template <>
struct Layout<ShmLeaseKeepalive> : NoTail {
  using M = ShmLeaseKeepalive;
  static constexpr auto block = block_of(&M::lease_id, &M::stream_id, &M::client_id, &M::role, &M::client_timestamp_ns);
};

template <>
struct Layout<ShmDriverShutdown> {
  using M = ShmDriverShutdown;
  static constexpr auto block = block_of(&M::timestamp_ns, &M::reason);
  static constexpr auto tail = tail_of(&M::error_message);
};

template <>
struct Layout<ShmLeaseRevoked> {
  using M = ShmLeaseRevoked;
  static constexpr auto block =
      block_of(&M::timestamp_ns, &M::lease_id, &M::stream_id, &M::client_id, &M::role, &M::reason);
  static constexpr auto tail = tail_of(&M::error_message);
};

template <>
struct Layout<ShmDriverShutdownRequest> {
  using M = ShmDriverShutdownRequest;
  static constexpr auto block = block_of(&M::correlation_id, &M::reason);
  static constexpr auto tail = tail_of(&M::token, &M::error_message);
};

}  // namespace wire

template struct Codec<ShmAttachRequest>;
template struct Codec<ShmAttachResponse>;
template struct Codec<ShmDetachRequest>;
template struct Codec<ShmDetachResponse>;
template struct Codec<ShmLeaseKeepalive>;
template struct Codec<ShmDriverShutdown>;
template struct Codec<ShmLeaseRevoked>;
template struct Codec<ShmDriverShutdownRequest>;

}  // namespace tensorpool::protocol
