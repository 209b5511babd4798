#include "client/rate_gate.hpp"

#include <algorithm>
#include <limits>

namespace tensorpool::detail {
namespace {

// Stamps may be this much, and two intervals, further ahead than the clock: frames of a backlog come at once, and those
// of a replay faster than they were taken.
constexpr Nanos most_ahead_ns = 10 * nanos_per_second;
// Stamps that keep the gate closed for this much longer than the clock would are too slow to go by.
constexpr Nanos most_behind_ns = nanos_per_second;

// Time stamps are foreign: they may stand at either end of what a Nanos holds.
Nanos later(Nanos time, Nanos by) noexcept {
  return time > std::numeric_limits<Nanos>::max() - by ? std::numeric_limits<Nanos>::max() : time + by;
}
Nanos distance(Nanos from, Nanos to) noexcept {
  Nanos between = 0;
  if (!__builtin_sub_overflow(to, from, &between)) return between;
  return to > from ? std::numeric_limits<Nanos>::max() : std::numeric_limits<Nanos>::min();
}

}  // namespace

void RateGate::restart(Budget budget) noexcept {
  started_ = false;
  first_budget_ = budget;
}

bool RateGate::opens_at(Nanos stamp, Nanos now) noexcept {
  if (!limits()) return true;
  ascends_ = ascends_ && stamp > seen_stamp_;
  watched_ = later(watched_, std::clamp<Nanos>(now - seen_at_, 0, interval_ns_));
  seen_stamp_ = stamp;
  seen_at_ = now;
  return !started_ || since_last_passed().time >= wait_;
}

RateGate::Elapsed RateGate::since_last_passed() const noexcept {
  const Nanos by_clock = std::max<Nanos>(seen_at_ - passed_at_, 0);
  const Nanos by_stamps = distance(anchor_, seen_stamp_);
  if (seen_stamp_ == 0 || by_stamps <= 0) return {by_clock, true};
  if (by_stamps > later(by_clock, later(most_ahead_ns, later(interval_ns_, interval_ns_)))) return {by_clock, true};
  if (by_stamps < wait_ && watched_ > later(wait_, most_behind_ns)) return {by_clock, true};
  return {by_stamps, false};
}

// Whether the stamps went on from the last frame that passed to this one as a clock does, wherever they stand.
bool RateGate::behaves_again() const noexcept {
  return seen_stamp_ != 0 && ascends_ && distance(passed_stamp_, seen_stamp_) >= (seen_at_ - passed_at_) / 2;
}

void RateGate::spend() noexcept {
  if (!started_) {
    wait_ = first_budget_ == Budget::full ? 0 : interval_ns_;
    anchor_ = seen_stamp_;
  } else {
    const Elapsed elapsed = since_last_passed();
    wait_ = std::max<Nanos>(std::min<Nanos>(wait_ - elapsed.time, 0) + interval_ns_, 0);
    anchor_ = !elapsed.by_clock || behaves_again() ? seen_stamp_ : later(anchor_, elapsed.time);
  }
  started_ = true;
  passed_stamp_ = seen_stamp_;
  passed_at_ = seen_at_;
  watched_ = 0;
  ascends_ = true;
}

}  // namespace tensorpool::detail
