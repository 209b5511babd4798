// The loops that measures share, so that a subject and its baseline are timed in the same way.
#pragma once

#include <atomic>
#include <cstdint>
#include <stdexcept>

#include "process.hpp"
#include "samples.hpp"

namespace tensorpool::bench {

struct Bursts {
  std::size_t count = 200;               // timed
  std::size_t operations = 500;          // of one burst
  Nanos pause_ns = 0;                    // between bursts, for readers that nap to drain what was sent
  std::size_t warm_up = count / 10 + 1;  // bursts before those, untimed
};

// Each sample is the time of one burst divided by its operations.
template <class Operation>
Samples time_bursts(const Bursts& bursts, Operation&& operation) {
  Samples samples(bursts.count);
  for (std::size_t burst = 0; burst < bursts.warm_up + bursts.count; ++burst) {
    const Nanos begun = monotonic_now();
    for (std::size_t i = 0; i < bursts.operations; ++i) operation();
    const Nanos ended = monotonic_now();
    if (burst >= bursts.warm_up)
      samples.record(static_cast<double>(ended - begun) / static_cast<double>(bursts.operations));
    if (bursts.pause_ns > 0) sleep_ns(bursts.pause_ns);
  }
  return samples;
}

// What a sender and a receiver in two processes tell each other beside the path that is measured.
struct Progress {
  alignas(64) std::atomic<std::uint64_t> sent{0};
  alignas(64) std::atomic<std::uint64_t> received{0};
  alignas(64) std::atomic<std::uint32_t> ready{0};  // parts that are set up
  alignas(64) std::atomic<bool> stop{false};
};

// Nothing is sent twice, so the end of a burst may be lost; what comes after it says so to the receiver.
inline constexpr Nanos next_message_after_ns = 100 * nanos_per_milli;

// Two processes that spin on two cores leave none to the media driver, which has to move the sender's window on: a few
// milliseconds of small messages, and it is shut.
inline constexpr Nanos burst_pause_ns = 100 * nanos_per_micro;

// Sends bursts, each after the one before was received; false from `send` throws.
template <class Send>
void send_bursts(Progress& progress, const Bursts& bursts, Send&& send) {
  std::uint64_t sent = 0;
  while (sent < (bursts.warm_up + bursts.count) * bursts.operations) {
    for (std::size_t i = 0; i < bursts.operations; ++i) {
      if (!send()) throw std::runtime_error("a message was refused");
    }
    const std::uint64_t whole = sent += bursts.operations;
    progress.sent.store(sent, std::memory_order_release);
    for (Nanos since = monotonic_now(); progress.received.load(std::memory_order_acquire) < whole; pause_core()) {
      if (const Nanos now = monotonic_now(); now - since > next_message_after_ns) {
        since = now;
        if (send()) progress.sent.store(++sent, std::memory_order_release);
      }
    }
    sleep_ns(burst_pause_ns);
  }
}

// How long a receiver waits for what was sent already. A frame that was lost on the way never comes.
inline constexpr Nanos receive_patience_ns = 3 * nanos_per_second;

// Times how long it takes to receive each burst when all of it is there. `poll` returns how many it took; throws when
// some do not come.
template <class Poll>
Samples receive_bursts(Progress& progress, const Bursts& bursts, Poll&& poll) {
  Samples samples(bursts.count);
  std::uint64_t received = 0;
  for (std::size_t burst = 0; burst < bursts.warm_up + bursts.count; ++burst) {
    const std::uint64_t whole = received + bursts.operations;
    while (progress.sent.load(std::memory_order_acquire) < whole) pause_core();
    const Nanos begun = monotonic_now();
    for (std::uint64_t empty = 0; received < whole;) {
      const auto taken = static_cast<std::uint64_t>(poll());
      received += taken;
      empty = taken > 0 ? 0 : empty + 1;
      if (empty % 1024 == 1023 && monotonic_now() - begun > receive_patience_ns) {
        throw std::runtime_error("some of what was sent did not come");
      }
    }
    const Nanos ended = monotonic_now();
    if (burst >= bursts.warm_up)
      samples.record(static_cast<double>(ended - begun) / static_cast<double>(bursts.operations));
    progress.received.store(received, std::memory_order_release);
  }
  return samples;
}

// Closed loop: each sample is the time of one exchange. The first tenth warms up, untimed.
template <class Exchange>
Samples time_exchanges(std::size_t count, Exchange&& exchange) {
  Samples samples(count);
  for (std::size_t i = 0; i < count / 10; ++i) exchange(monotonic_now());
  for (std::size_t i = 0; i < count; ++i) {
    const Nanos begun = monotonic_now();
    exchange(begun);
    samples.record(static_cast<double>(monotonic_now() - begun));
  }
  return samples;
}

// Open loop: calls `send` with the time at which each message was due, `count` times at `rate_hz`. What falls behind is
// sent at once, still with the time at which it was due. REQUIRES: rate_hz > 0.
template <class Send>
void send_at_rate(double rate_hz, std::size_t count, Send&& send) {
  const Nanos begun = monotonic_now();
  for (std::size_t i = 0; i < count; ++i) {
    const Nanos due = begun + static_cast<Nanos>(static_cast<double>(i) * 1e9 / rate_hz);
    while (monotonic_now() < due) pause_core();
    send(due);
  }
}

}  // namespace tensorpool::bench
