// Which frames a rate limit lets through: so many a second on average, and never more than two in a row, since at most
// one frame's worth of budget is saved up. Only a frame that was really passed on spends budget (pass); asking
// (opens_at) costs nothing, so a frame that turned out to be overwritten gives its budget back.
//
// Time is the frames' own, as long as their stamps behave like a clock. The gate goes by CLOCK_MONOTONIC for a frame
//   - without a stamp, or whose stamp is not later than that of the last one that passed: time that stands still or
//     goes backwards neither opens the gate nor keeps it closed,
//   - whose stamp is further ahead than the clock explains (another clock, a stamp that is wrong), and
//   - whose stream's stamps advance so slowly that they would keep the gate closed (another unit, a counter).
// Until the stamps behave again, the gate keeps its place in their time by the clock. Pure; single thread; nothing
// allocates.
#pragma once

#include <cstdint>

#include "tensorpool/time.hpp"

namespace tensorpool::detail {

// The time between two frames at `rate_hz`; 0 for no limit.
[[nodiscard]] constexpr Nanos interval_of_rate(double rate_hz) noexcept {
  constexpr double longest_ns = 1e18;  // 31 years; a few of them still fit
  if (rate_hz <= 0) return 0;
  const double interval = static_cast<double>(nanos_per_second) / rate_hz;
  return interval < 1 ? 1 : static_cast<Nanos>(interval < longest_ns ? interval : longest_ns);
}

class RateGate {
 public:
  // What is in the budget before the first frame: nothing, or a whole frame. Behind another gate of the same rate a
  // full one holds nothing back, whatever the two saw first; an empty one could be out of step with it.
  enum class Budget : std::uint8_t { empty, full };

  // 0 = no limit.
  explicit RateGate(Nanos interval_ns = 0) noexcept { set_interval(interval_ns); }

  // A new interval restarts the gate; the same one changes nothing.
  void set_interval(Nanos interval_ns) noexcept {
    if (interval_ns == interval_ns_) return;
    interval_ns_ = interval_ns;
    restart(Budget::empty);
  }
  [[nodiscard]] Nanos interval_ns() const noexcept { return interval_ns_; }
  [[nodiscard]] bool limits() const noexcept { return interval_ns_ != 0; }
  // The next frame passes, whatever its time.
  void restart(Budget budget) noexcept;

  // Whether a frame may pass that has this time stamp (0 = none) and is looked at `now`. Ask once for each frame.
  [[nodiscard]] bool opens_at(Nanos stamp, Nanos now) noexcept;
  // The frame that was asked about last passed.
  void pass() noexcept {
    if (limits()) [[unlikely]]
      spend();
  }

 private:
  struct Elapsed {
    Nanos time;
    bool by_clock;
  };
  [[nodiscard]] Elapsed since_last_passed() const noexcept;
  [[nodiscard]] bool behaves_again() const noexcept;
  void spend() noexcept;

  Nanos interval_ns_ = 0;
  bool started_ = false;
  Budget first_budget_ = Budget::empty;
  // As of the last frame that passed.
  Nanos wait_ = 0;          // until the gate opens
  Nanos anchor_ = 0;        // its place in the stamps' time
  Nanos passed_stamp_ = 0;  // its own stamp; another than anchor_ if it passed by the clock
  Nanos passed_at_ = 0;     // by the clock
  // As of the last frame that was looked at.
  Nanos seen_stamp_ = 0;
  Nanos seen_at_ = 0;
  Nanos watched_ = 0;    // how long frames came since one passed; a pause in which none did counts as one interval
  bool ascends_ = true;  // every stamp since one passed was later than the one before
};

}  // namespace tensorpool::detail
