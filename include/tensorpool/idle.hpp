// What a duty cycle does when there was nothing to do. One thread.
#pragma once

#include <algorithm>

#include "tensorpool/time.hpp"

namespace tensorpool {

enum class IdleMode : unsigned char {
  spin,     // lowest latency, a whole core
  yield,    // gives way to runnable threads, still a whole core otherwise
  backoff,  // spins, yields, then naps, each twice as long as the one before, up to sleep_ns
  sleep,    // naps sleep_ns each time; the thread's timer slack is set to 1 ns, so a nap is as long as it says
};

class Idle {
 public:
  // `longest_ns` is for IdleMode::sleep: above sleep_ns, each nap in a row is twice as long as the one before, up to
  // it.
  explicit Idle(IdleMode mode, Nanos sleep_ns = nanos_per_milli, Nanos longest_ns = 0) noexcept
      : mode_(mode),
        first_ns_(mode == IdleMode::backoff ? std::min(sleep_ns, nanos_per_micro) : sleep_ns),
        longest_ns_(mode == IdleMode::backoff ? sleep_ns : std::max(sleep_ns, longest_ns)) {}

  // `work` is what the duty cycle returned; anything above 0 starts over.
  void idle(int work) noexcept;

 private:
  void nap() noexcept;

  IdleMode mode_;
  Nanos first_ns_;  // of the naps in a row
  Nanos longest_ns_;
  Nanos next_ns_ = first_ns_;
  unsigned rounds_ = 0;  // without a nap, in a row
  bool slack_set_ = false;
};

}  // namespace tensorpool
