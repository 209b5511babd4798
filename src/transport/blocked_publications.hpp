// Which publications are full because a subscriber does not read, and whose subscription that is, as far as the media
// driver's counters tell.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "transport/counters.hpp"

namespace tensorpool::transport {

struct BlockedPublication {
  std::int32_t session_id = 0;
  std::int32_t stream_id = 0;
  // Of the subscriber that has read least.
  std::int64_t behind_bytes = 0;
  std::int64_t client_id = -1;  // Aeron's id of its client; -1: not known
  std::string client_name{};    // as the client gave it; empty: it gave none
};

// Those that take no message in this moment. A publication without subscribers is none of them.
[[nodiscard]] std::vector<BlockedPublication> blocked_publications(const std::vector<CounterValue>& counters);

// "Aeron client 17 (camera viewer), which is 2097152 bytes behind"
[[nodiscard]] std::string describe_subscriber(const BlockedPublication& blocked);

}  // namespace tensorpool::transport
