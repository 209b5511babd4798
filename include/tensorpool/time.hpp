// Time as the library counts it: signed nanoseconds, so that differences are plain subtractions.
#pragma once

#include <cstdint>

namespace tensorpool {

// Nanoseconds. A point in time is CLOCK_MONOTONIC unless a name says realtime.
using Nanos = std::int64_t;

inline constexpr Nanos nanos_per_micro = 1'000;
inline constexpr Nanos nanos_per_milli = 1'000'000;
inline constexpr Nanos nanos_per_second = 1'000'000'000;

// CLOCK_MONOTONIC now; the clock of leases, timers and frame timestamps.
[[nodiscard]] Nanos monotonic_now() noexcept;

// CLOCK_REALTIME now; only for epochs and for people.
[[nodiscard]] Nanos realtime_now() noexcept;

}  // namespace tensorpool
