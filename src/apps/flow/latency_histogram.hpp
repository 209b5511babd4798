// Durations counted in log-linear buckets: 64 per power of two, so that a percentile is off by less than 1.6 %.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tensorpool/time.hpp"

namespace tensorpool::apps {

// From a frame's time stamp until `now`. Stamps are foreign: a difference that a Nanos does not hold is its limit.
[[nodiscard]] Nanos latency_since(Nanos stamp, Nanos now) noexcept;

class LatencyHistogram {
 public:
  // Negative durations count as 0.
  void record(Nanos duration) noexcept;
  void add(const LatencyHistogram& other) noexcept;
  void reset() noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  // The duration that `percent` of all are not above (the upper end of its bucket); 0 when nothing was recorded.
  [[nodiscard]] Nanos percentile(double percent) const noexcept;

 private:
  static constexpr unsigned bits = 6;
  static constexpr std::size_t per_octave = 1U << bits;
  static constexpr std::size_t buckets = (64 - bits) * per_octave;
  static std::size_t bucket_of(std::uint64_t value) noexcept;
  static std::uint64_t upper_end(std::size_t bucket) noexcept;

  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t count_ = 0;
};

}  // namespace tensorpool::apps
