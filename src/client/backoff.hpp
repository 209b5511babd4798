// Exponential back-off with jitter: each delay is drawn from the upper half of a bound that doubles up to a limit, so
// that clients which lost the same peer at the same moment do not all come back at the same moment.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

#include "tensorpool/time.hpp"

namespace tensorpool::detail {

// Where random numbers come from; tests bring their own.
using RandomSource = std::function<std::uint64_t()>;

// An id of this client's own choice.
[[nodiscard]] inline std::uint32_t nonzero_u32(const RandomSource& random) {
  for (;;) {
    if (const auto id = static_cast<std::uint32_t>(random()); id != 0) return id;
  }
}

class Backoff {
 public:
  Backoff(Nanos first, Nanos limit) noexcept : first_(first), limit_(limit), bound_(first) {}

  // The next delay.
  [[nodiscard]] Nanos next(std::uint64_t random) noexcept {
    const Nanos half = std::max<Nanos>(bound_ / 2, 1);
    const Nanos delay = half + static_cast<Nanos>(random % static_cast<std::uint64_t>(half));
    bound_ = std::min(limit_, bound_ * 2);
    return delay;
  }
  void reset() noexcept { bound_ = first_; }

 private:
  Nanos first_;
  Nanos limit_;
  Nanos bound_;
};

}  // namespace tensorpool::detail
