#include "roles/driver/stream_messages.hpp"

#include "protocol/shm_layout.hpp"
#include "shm/region_announce.hpp"

namespace tensorpool::driver {

namespace {

constexpr std::size_t max_error_message = 1024;  // spec: driver §4.2

}  // namespace

protocol::ShmPoolAnnounce make_announce(const Stream& stream, std::uint32_t producer_id, Nanos now) {
  return shm::make_announce(*stream.layout, producer_id, now);
}

// spec: driver §4.2
protocol::ShmAttachResponse make_grant(std::int64_t correlation_id, const Stream& stream, const Lease& lease) {
  const shm::RegionLayout& layout = *stream.layout;
  protocol::ShmAttachResponse response;
  response.correlation_id = correlation_id;
  response.code = protocol::ResponseCode::ok;
  response.lease_id = lease.key.lease_id;
  response.lease_expiry_timestamp_ns = static_cast<std::uint64_t>(lease.expires_at);
  response.stream_id = stream.stream_id;
  response.epoch = layout.epoch;
  response.layout_version = layout.layout_version;
  response.header_nslots = layout.nslots;
  response.header_slot_bytes = static_cast<std::uint16_t>(protocol::header_slot_bytes);
  response.node_id = lease.node_id;
  response.payload_pools = shm::payload_pools(layout);
  response.header_region_uri = shm::header_uri(layout);
  return response;
}

protocol::ShmAttachResponse make_refusal(std::int64_t correlation_id, protocol::ResponseCode code,
                                         std::string_view text) {
  protocol::ShmAttachResponse response;
  response.correlation_id = correlation_id;
  response.code = code;
  response.error_message = text.substr(0, max_error_message);
  return response;
}

protocol::ShmLeaseRevoked make_revoked(const LeaseKey& key, protocol::LeaseRevokeReason reason, Nanos now) {
  protocol::ShmLeaseRevoked revoked;
  revoked.timestamp_ns = static_cast<std::uint64_t>(now);
  revoked.lease_id = key.lease_id;
  revoked.stream_id = key.stream_id;
  revoked.client_id = key.client_id;
  revoked.role = key.role;
  revoked.reason = reason;
  return revoked;
}

}  // namespace tensorpool::driver
