// Raw durations and their exact percentiles.
#pragma once

#include <cstddef>
#include <vector>

#include "arguments.hpp"

namespace tensorpool::bench {

class Samples {
 public:
  // Room for `count` samples, touched now so that recording them takes no page fault.
  explicit Samples(std::size_t count);

  // Beyond the room that there is, samples are left out.
  void record(double nanoseconds) noexcept {
    if (size_ < values_.size()) values_[size_++] = nanoseconds;
  }
  void clear() noexcept { size_ = 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // The smallest sample that `percent` of all are not above; 0 when there is none.
  [[nodiscard]] double percentile(double percent);
  // unit, count, mean, p50, p99, p999 and max.
  [[nodiscard]] Json summary();

 private:
  std::vector<double> values_;
  std::size_t size_ = 0;
};

}  // namespace tensorpool::bench
