// Frames per second from sequence numbers that somebody states now and then.
#pragma once

#include <cstdint>

#include "tensorpool/time.hpp"

namespace tensorpool::detail {

class SeqRate {
 public:
  // REQUIRES: `count` does not go backwards; restart() where it may.
  void see(std::uint64_t count, Nanos now) noexcept {
    if (!started_) {
      restart(count, now);
    } else if (now - since_ >= shortest_window_ns) {
      per_second_ = static_cast<double>(count - count_) * 1e9 / static_cast<double>(now - since_);
      count_ = count;
      since_ = now;
    }
  }
  void restart(std::uint64_t count, Nanos now) noexcept {
    started_ = true;
    count_ = count;
    since_ = now;
    per_second_ = 0;
  }
  [[nodiscard]] double per_second() const noexcept { return per_second_; }

 private:
  // Shorter ones show the moments at which messages are read, not a rate.
  static constexpr Nanos shortest_window_ns = 400 * nanos_per_milli;

  bool started_ = false;
  std::uint64_t count_ = 0;
  Nanos since_ = 0;
  double per_second_ = 0;
};

}  // namespace tensorpool::detail
