#include "apps/flow/latency_histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace tensorpool::apps {

Nanos latency_since(Nanos stamp, Nanos now) noexcept {
  Nanos latency = 0;
  if (!__builtin_sub_overflow(now, stamp, &latency)) return latency;
  return now > stamp ? std::numeric_limits<Nanos>::max() : std::numeric_limits<Nanos>::min();
}

// Values below 64 have a bucket each; above, octave k holds the values [2^k, 2^(k+1)) in 64 equal steps.
std::size_t LatencyHistogram::bucket_of(std::uint64_t value) noexcept {
  if (value < per_octave) return static_cast<std::size_t>(value);
  const auto shift = static_cast<unsigned>(std::bit_width(value)) - bits - 1;
  return (std::size_t{shift} << bits) + static_cast<std::size_t>(value >> shift);
}

std::uint64_t LatencyHistogram::upper_end(std::size_t bucket) noexcept {
  if (bucket < 2 * per_octave) return bucket;
  const auto shift = static_cast<unsigned>(bucket >> bits) - 1;
  const std::uint64_t step = per_octave + (bucket & (per_octave - 1));
  return ((step + 1) << shift) - 1;
}

void LatencyHistogram::record(Nanos duration) noexcept {
  const std::size_t bucket = bucket_of(static_cast<std::uint64_t>(std::max<Nanos>(duration, 0)));
  ++counts_[bucket];
  ++count_;
}

void LatencyHistogram::add(const LatencyHistogram& other) noexcept {
  for (std::size_t i = 0; i < buckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
}

void LatencyHistogram::reset() noexcept {
  counts_.fill(0);
  count_ = 0;
}

Nanos LatencyHistogram::percentile(double percent) const noexcept {
  if (count_ == 0) return 0;
  const double share = std::clamp(percent, 0.0, 100.0) / 100.0;
  const auto rank =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
  std::uint64_t passed = 0;
  for (std::size_t i = 0; i < buckets; ++i) {
    passed += counts_[i];
    if (passed >= rank) return static_cast<Nanos>(upper_end(i));
  }
  return static_cast<Nanos>(upper_end(buckets - 1));
}

}  // namespace tensorpool::apps
