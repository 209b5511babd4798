#include "tensorpool/idle.hpp"

#include <sched.h>
#include <sys/prctl.h>

#include <ctime>

namespace tensorpool {
namespace {

constexpr unsigned backoff_spins = 10;
constexpr unsigned backoff_yields = 20;

void pause_cpu() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

void Idle::idle(int work) noexcept {
  if (work > 0) {
    rounds_ = 0;
    next_ns_ = first_ns_;
    return;
  }
  switch (mode_) {
    case IdleMode::spin:
      return pause_cpu();
    case IdleMode::yield:
      ::sched_yield();
      return;
    case IdleMode::sleep:
      return nap();
    case IdleMode::backoff:
      break;
  }
  if (rounds_ == backoff_spins + backoff_yields) return nap();
  if (rounds_++ < backoff_spins) {
    pause_cpu();
  } else {
    ::sched_yield();
  }
}

void Idle::nap() noexcept {
  if (!slack_set_) {
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    slack_set_ = true;
  }
  const timespec interval{static_cast<time_t>(next_ns_ / nanos_per_second),
                          static_cast<long>(next_ns_ % nanos_per_second)};
  ::nanosleep(&interval, nullptr);
  next_ns_ = next_ns_ > longest_ns_ / 2 ? longest_ns_ : 2 * next_ns_;
}

}  // namespace tensorpool
