// Epoch numbers. The rule needs no state file: it survives restarts, reboots and a clock that steps back.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensorpool/time.hpp"

namespace tensorpool::shm {

// max(previous + 1, highest epoch directory + 1, realtime); 0 stands for "none" in both.
[[nodiscard]] constexpr std::uint64_t next_epoch(std::uint64_t previous, std::uint64_t highest_on_disk,
                                                 Nanos realtime) noexcept {
  const std::uint64_t clock = realtime > 0 ? static_cast<std::uint64_t>(realtime) : 0;
  return std::max({previous + 1, highest_on_disk + 1, clock});
}

}  // namespace tensorpool::shm
