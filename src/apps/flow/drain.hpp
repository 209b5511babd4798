// Ends that lose nothing: a consumer takes what already waits, a producer stays until its consumers have.
#pragma once

#include <unistd.h>

#include <cerrno>

#include "base/idle.hpp"
#include "tensorpool/consumer.hpp"

namespace tensorpool::apps {

// Polls until nothing came for 50 ms, at most 2 s.
template <class F>
void drain(Consumer& consumer, F&& on_frame) {
  Idle idle(IdleMode::sleep, nanos_per_milli);
  const Nanos started = monotonic_now();
  Nanos last_work = started;
  for (Nanos now = started; now - last_work < 50 * nanos_per_milli && now - started < 2 * nanos_per_second; now = monotonic_now()) {
    const int work = consumer.poll(on_frame);
    if (work > 0) last_work = now;
    idle.idle(work);
  }
}

// Blocks until standard input is closed by whoever started this program. Signals do not end it, save those that kill.
inline void wait_for_end_of_input() noexcept {
  char ignored[256];
  for (ssize_t got = 1; got > 0 || (got < 0 && errno == EINTR);) got = ::read(STDIN_FILENO, ignored, sizeof ignored);
}

}  // namespace tensorpool::apps
