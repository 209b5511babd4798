#include "tensorpool/idle.hpp"

#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
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
    return;
  }
  switch (mode_) {
    case IdleMode::spin:
      pause_cpu();
      return;
    case IdleMode::yield:
      ::sched_yield();
      return;
    case IdleMode::sleep:
      nap(sleep_ns_);
      return;
    case IdleMode::backoff:
      break;
  }
  const unsigned round = rounds_++;
  if (round < backoff_spins) {
    pause_cpu();
  } else if (round < backoff_spins + backoff_yields) {
    ::sched_yield();
  } else {
    const unsigned doublings = std::min(round - backoff_spins - backoff_yields, 20U);
    nap(std::min(nanos_per_micro << doublings, sleep_ns_));
    rounds_ = std::min(rounds_, backoff_spins + backoff_yields + 20U);
  }
}

void Idle::nap(Nanos duration) noexcept {
  if (!slack_set_) {
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    slack_set_ = true;
  }
  const timespec interval{static_cast<time_t>(duration / nanos_per_second),
                          static_cast<long>(duration % nanos_per_second)};
  ::nanosleep(&interval, nullptr);
}

}  // namespace tensorpool
