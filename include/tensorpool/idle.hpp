// What a duty cycle does when there was nothing to do. One thread.
#pragma once

#include "tensorpool/time.hpp"

namespace tensorpool {

enum class IdleMode : unsigned char {
  spin,     // lowest latency, a whole core
  yield,    // gives way to runnable threads, still a whole core otherwise
  backoff,  // spins, yields, then naps up to sleep_ns
  sleep,    // naps sleep_ns each time; the thread's timer slack is set to 1 ns, so a nap is as long as it says
};

class Idle {
 public:
  explicit Idle(IdleMode mode, Nanos sleep_ns = nanos_per_milli) noexcept : mode_(mode), sleep_ns_(sleep_ns) {}

  // `work` is what the duty cycle returned; anything above 0 starts over.
  void idle(int work) noexcept;

 private:
  void nap(Nanos duration) noexcept;

  IdleMode mode_;
  Nanos sleep_ns_;
  unsigned rounds_ = 0;
  bool slack_set_ = false;
};

}  // namespace tensorpool
