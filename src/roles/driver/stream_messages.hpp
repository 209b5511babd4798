// What messages say about a stream's current epoch; one place, so that an announce and an attach response cannot
// differ.
#pragma once

#include <optional>

#include "protocol/messages.hpp"
#include "roles/driver/leases.hpp"
#include "roles/driver/stream_table.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::driver {

// REQUIRES (both): stream.provisioned().
[[nodiscard]] protocol::ShmPoolAnnounce make_announce(const Stream& stream, std::uint32_t producer_id, Nanos now);
[[nodiscard]] protocol::ShmAttachResponse make_grant(std::int64_t correlation_id, const Stream& stream,
                                                     const Lease& lease);

[[nodiscard]] protocol::ShmAttachResponse make_refusal(std::int64_t correlation_id, protocol::ResponseCode code,
                                                       std::string_view text);
[[nodiscard]] protocol::ShmLeaseRevoked make_revoked(const LeaseKey& key, protocol::LeaseRevokeReason reason,
                                                     Nanos now);

}  // namespace tensorpool::driver
