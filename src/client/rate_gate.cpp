#include "client/rate_gate.hpp"

#include <algorithm>
#include <limits>

namespace tensorpool::detail {
namespace {

// So many frames in a row from more than an interval before the last one that passed: the clock was set back.
constexpr std::uint32_t frames_of_a_new_clock = 16;

// Time stamps are foreign: they may stand at either end of what a Nanos holds.
Nanos later(Nanos time, Nanos by) noexcept {
  return time > std::numeric_limits<Nanos>::max() - by ? std::numeric_limits<Nanos>::max() : time + by;
}
bool is_long_before(Nanos time, Nanos reference, Nanos distance) noexcept { return later(time, distance) < reference; }

}  // namespace

void RateGate::restart(Budget budget) noexcept {
  started_ = false;
  first_budget_ = budget;
  frames_from_the_past_ = 0;
}

bool RateGate::opens_at(Nanos timestamp_ns) noexcept {
  if (!limits() || !started_) return true;
  if (timestamp_ns >= opens_) {
    frames_from_the_past_ = 0;
    return true;
  }
  if (!is_long_before(timestamp_ns, last_passed_, interval_ns())) {
    frames_from_the_past_ = 0;
  } else if (++frames_from_the_past_ >= frames_of_a_new_clock) {
    frames_from_the_past_ = 0;
    last_passed_ = timestamp_ns;
    opens_ = later(timestamp_ns, interval_ns());
  }
  return false;
}

void RateGate::pass(Nanos timestamp_ns) noexcept {
  if (!limits()) return;
  if (started_) {
    opens_ = std::max(later(opens_, interval_ns()), timestamp_ns);
  } else {
    opens_ = first_budget_ == Budget::full ? timestamp_ns : later(timestamp_ns, interval_ns());
  }
  started_ = true;
  last_passed_ = timestamp_ns;
}

}  // namespace tensorpool::detail
