// Which frames a rate limit lets through, by their own time stamps: so many a second on average, and never more than
// two in a row, since at most one frame's worth of budget is saved up. Only a frame that was really passed on spends
// budget (pass); asking (opens_at) costs nothing, so a frame that turned out to be overwritten gives its budget back.
//
// Time that goes backwards does not open the gate. Many frames in a row from far before the last one that passed are a
// new clock, which the gate then follows from where it stands. Pure; single thread; nothing allocates.
#pragma once

#include <cstdint>

#include "tensorpool/time.hpp"

namespace tensorpool::detail {

class RateGate {
 public:
  // What is in the budget before the first frame: nothing, or a whole frame. Behind another gate of the same rate a
  // full one holds nothing back, whatever the two saw first; an empty one could be out of step with it.
  enum class Budget : std::uint8_t { empty, full };

  // 0 = no limit.
  explicit RateGate(std::uint32_t max_rate_hz = 0) noexcept { set_rate(max_rate_hz); }

  // A new rate starts anew; the same one changes nothing.
  void set_rate(std::uint32_t max_rate_hz) noexcept {
    if (max_rate_hz == rate_hz_) return;
    rate_hz_ = max_rate_hz;
    restart(Budget::empty);
  }
  [[nodiscard]] std::uint32_t rate_hz() const noexcept { return rate_hz_; }
  [[nodiscard]] bool limits() const noexcept { return rate_hz_ != 0; }
  // The next frame passes, whatever its time.
  void restart(Budget budget) noexcept;

  // Whether a frame of that time may pass.
  [[nodiscard]] bool opens_at(Nanos timestamp_ns) noexcept;
  // A frame of that time passed.
  void pass(Nanos timestamp_ns) noexcept;

 private:
  [[nodiscard]] Nanos interval_ns() const noexcept { return nanos_per_second / rate_hz_; }

  std::uint32_t rate_hz_ = 0;
  bool started_ = false;
  Budget first_budget_ = Budget::empty;
  std::uint32_t frames_from_the_past_ = 0;
  Nanos opens_ = 0;
  Nanos last_passed_ = 0;
};

}  // namespace tensorpool::detail
