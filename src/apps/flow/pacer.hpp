// Says when the next frame of a steady rate is due. Late frames are made up for, but a pause longer than a tenth of a
// second is not: nobody wants a burst after a debugger's stop.
#pragma once

#include <algorithm>

#include "tensorpool/time.hpp"

namespace tensorpool::apps {

class Pacer {
 public:
  // rate_hz 0 = flat out: always due.
  Pacer(double rate_hz, Nanos now) noexcept
      : period_ns_(rate_hz > 0 ? static_cast<Nanos>(1e9 / rate_hz) : 0), due_ns_(now) {}

  // Nanoseconds until the next frame is due; 0 = now.
  [[nodiscard]] Nanos wait_ns(Nanos now) const noexcept { return std::max<Nanos>(0, due_ns_ - now); }
  // Call once per frame.
  void advance(Nanos now) noexcept {
    due_ns_ += period_ns_;
    if (now - due_ns_ > nanos_per_second / 10) due_ns_ = now;
  }

 private:
  Nanos period_ns_;
  Nanos due_ns_;
};

}  // namespace tensorpool::apps
