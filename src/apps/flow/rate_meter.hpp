// Frames and bytes per second since the last sample.
#pragma once

#include <cstdint>

#include "tensorpool/time.hpp"

namespace tensorpool::apps {

struct Rate {
  double hz = 0;
  double megabytes_per_s = 0;
};

class RateMeter {
 public:
  explicit RateMeter(Nanos now) noexcept : since_(now), started_(now) {}

  void count(std::uint64_t bytes) noexcept {
    ++frames_;
    bytes_ += bytes;
  }
  // The rate since the last sample, and a new start.
  Rate sample(Nanos now) noexcept {
    const Rate rate = over(frames_, bytes_, now - since_);
    all_frames_ += frames_;
    all_bytes_ += bytes_;
    frames_ = 0;
    bytes_ = 0;
    since_ = now;
    return rate;
  }
  // The rate from construction to the last sample.
  [[nodiscard]] Rate overall() const noexcept { return over(all_frames_, all_bytes_, since_ - started_); }
  [[nodiscard]] Nanos since() const noexcept { return since_; }

 private:
  static Rate over(std::uint64_t frames, std::uint64_t bytes, Nanos time) noexcept {
    if (time <= 0) return {};
    const double seconds = static_cast<double>(time) / 1e9;
    return {static_cast<double>(frames) / seconds, static_cast<double>(bytes) / 1e6 / seconds};
  }

  std::uint64_t frames_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t all_frames_ = 0;
  std::uint64_t all_bytes_ = 0;
  Nanos since_;
  Nanos started_;
};

}  // namespace tensorpool::apps
