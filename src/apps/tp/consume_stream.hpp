// `tp consume`: receives a stream, checks what it received, and says how it went.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "tensorpool/client.hpp"

namespace tensorpool::apps {

struct ConsumeOptions {
  ClientOptions client;
  ConsumerOptions consumer;
  bool json = false;
  bool each = false;        // one line a frame instead of one a second
  bool verify = false;      // against `against` when given, else every frame must be a pattern of its sequence
  std::string against;      // the producer's CRC log, read at the end
  std::string crc_log;      // own log; empty = none
  std::string save_dir;     // every frame becomes a file there; empty = none
  std::uint64_t count = 0;  // frames; 0 = until stopped
  Nanos limit_ns = 0;       // 0 = until stopped
};

// Runs until `count` frames came, `seconds` passed or `stop` is set; then takes what already waits and ends.
// An error is also content that was wrong.
[[nodiscard]] Status consume_stream(const ConsumeOptions& options, const std::atomic<bool>& stop);

}  // namespace tensorpool::apps
