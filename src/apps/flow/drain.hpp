// Ends that lose nothing: a consumer takes what already waits, a producer stays until its consumers have.
#pragma once

#include <unistd.h>

#include <cerrno>

#include "tensorpool/consumer.hpp"
#include "tensorpool/idle.hpp"

namespace tensorpool::apps {

// Takes what waits: polls until three polls in a row, a millisecond apart, found nothing; at most a second, because a
// stream that goes on may never be empty.
template <class F>
void drain(Consumer& consumer, F&& on_frame) {
  Idle idle(IdleMode::sleep, nanos_per_milli);
  const Nanos started = monotonic_now();
  for (int empty = 0; empty < 3 && monotonic_now() - started < nanos_per_second;) {
    const int work = consumer.poll(on_frame);
    empty = work > 0 ? 0 : empty + 1;
    idle.idle(work);
  }
}

// Blocks until standard input is closed by whoever started this program. Signals do not end it, save those that kill.
inline void wait_for_end_of_input() noexcept {
  char ignored[256];
  for (ssize_t got = 1; got > 0 || (got < 0 && errno == EINTR);) got = ::read(STDIN_FILENO, ignored, sizeof ignored);
}

}  // namespace tensorpool::apps
