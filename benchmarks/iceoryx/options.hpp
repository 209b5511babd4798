// The command line of iceoryx_bench.
#pragma once

#include <cstddef>
#include <string>

namespace tensorpool::bench {

enum class Measure { round_trip, throughput, fan_out };

struct Options {
  Measure measure = Measure::round_trip;
  std::size_t bytes = 64;        // of a payload; a multiple of 8
  bool touch = false;            // whether every byte is written by the sender and read by the receiver
  std::size_t samples = 10'000;  // measured round trips, frames, or bursts
  std::size_t slots = 2;         // frames that may wait at the receiver (throughput)
  std::size_t consumers = 1;     // subscribers (fan-out)
};

// Frames of a burst (fan-out), each of which every consumer has taken before the next begins.
inline constexpr std::size_t burst = 8;

[[nodiscard]] inline std::size_t warm_up_frames(const Options& options) {
  return options.samples / 10 + 2 * options.slots;
}
[[nodiscard]] inline std::size_t warm_up_rounds(const Options& options) { return options.samples / 10 + 10; }

}  // namespace tensorpool::bench
