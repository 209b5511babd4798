// A stranger on the streams of the soak: noise, messages that nobody meant, and what others said, said again.
#pragma once

#include <cstdint>

#include "tensorpool/client.hpp"

namespace tensorpool::soak {

// For so long; the exit status. Where there is no media driver it says so and ends.
int forge(const ClientOptions& where, std::uint64_t milliseconds, std::uint64_t seed);

}  // namespace tensorpool::soak
