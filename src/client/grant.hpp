// What an attach response or an announce means once it is found to be complete and consistent. Everything in those
// messages is foreign: nothing is mapped, and no state changes, before it went through here. (behaviour.md, Client and
// attach session)
#pragma once

#include <cstdint>
#include <optional>

#include "protocol/messages.hpp"
#include "shm/region_layout.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::detail {

// A lease as the driver granted it.
struct Grant {
  std::uint64_t lease_id = 0;
  Nanos lease_duration_ns = 0;  // from the response on, and from each keepalive on
  std::optional<std::uint32_t> node_id;
  shm::RegionLayout layout;
  bool announced = false;  // not granted but announced: usable only while its producer shows activity
};

// What was asked for, as far as an answer must agree with it.
struct Expectation {
  std::uint32_t stream_id = 0;       // 0 = any
  std::uint32_t layout_version = 0;  // 0 = any
  Nanos default_lease_ns = 0;        // where the response states no expiry, or one in another clock
};

// An OK response; a protocol_error names the field that is missing or wrong.
[[nodiscard]] Result<Grant> grant_from(const protocol::ShmAttachResponse& response, const Expectation& expected,
                                       Nanos now);

// An announce; the same checks, without a lease.
[[nodiscard]] Result<shm::RegionLayout> layout_from(const protocol::ShmPoolAnnounce& announce);

// Whether an announce is recent enough to act on: at most `window_ns` old in its own clock domain, and, in
// CLOCK_MONOTONIC, not from before `listening_since`, when a replay of an old log could have brought it.
[[nodiscard]] bool is_fresh(const protocol::ShmPoolAnnounce& announce, Nanos window_ns, Nanos listening_since,
                            Nanos now, Nanos realtime) noexcept;

}  // namespace tensorpool::detail
