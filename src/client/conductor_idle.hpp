// How the thread of a client or a monitor idles: short naps while messages come and go, long ones when it is quiet.
#pragma once

#include <algorithm>

#include "tensorpool/client.hpp"
#include "tensorpool/idle.hpp"

namespace tensorpool::detail {

// The first nap of those in a row; who waits for an answer naps no longer.
[[nodiscard]] constexpr Nanos first_conductor_nap_ns(const ClientOptions& options) noexcept {
  return std::min(options.conductor_nap_ns, nanos_per_milli);
}

// It does not spin first: hundreds of clients of a host hear the same messages.
[[nodiscard]] inline Idle conductor_idle(const ClientOptions& options) noexcept {
  return Idle(IdleMode::sleep, first_conductor_nap_ns(options), options.conductor_nap_ns);
}

}  // namespace tensorpool::detail
