// The labels of the Aeron counters that a driver keeps for each lease: the wire has no query, so this is how tools
// learn of leases. The driver formats them, everybody else parses them here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/enums.hpp"

namespace tensorpool::protocol {

// Type ids of the two counters of a lease; their labels differ in the last words.
inline constexpr std::int32_t lease_keepalives_counter_type = 1050;  // value: keepalives accepted
inline constexpr std::int32_t lease_expiry_counter_type = 1051;      // value: CLOCK_MONOTONIC ns at which it expires

struct LeaseLabel {
  std::int32_t control_stream_id = 0;  // one media driver may serve several drivers
  std::uint64_t lease_id = 0;
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  Role role = Role::consumer;
  std::uint64_t granted_timestamp_ns = 0;  // CLOCK_MONOTONIC

  bool operator==(const LeaseLabel&) const = default;
};

// "tensorpool 1000, lease 77: stream 1001 PRODUCER client 5 since 123456 ns: keepalives", or "...: expires at ns".
// REQUIRES: `counter_type` is one of the two above.
[[nodiscard]] std::string format_lease_label(const LeaseLabel& label, std::int32_t counter_type);
// Nothing for any other text.
[[nodiscard]] std::optional<LeaseLabel> parse_lease_label(std::string_view text);

}  // namespace tensorpool::protocol
