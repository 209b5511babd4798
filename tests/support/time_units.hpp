// Short names for the times that tests are full of.
#pragma once

#include "tensorpool/time.hpp"

namespace tensorpool {

inline constexpr Nanos ms = nanos_per_milli;
inline constexpr Nanos second = nanos_per_second;

}  // namespace tensorpool
