#include "samples.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tensorpool::bench {

Samples::Samples(std::size_t count) : values_(count) {}

double Samples::percentile(double percent) {
  if (size_ == 0) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(size_)));
  const std::size_t index = std::min(size_, std::max<std::size_t>(rank, 1)) - 1;
  const auto at = values_.begin() + static_cast<std::ptrdiff_t>(index);
  std::nth_element(values_.begin(), at, values_.begin() + static_cast<std::ptrdiff_t>(size_));
  return *at;
}

Json Samples::summary() {
  const auto end = values_.begin() + static_cast<std::ptrdiff_t>(size_);
  const double sum = std::accumulate(values_.begin(), end, 0.0);
  return {{"unit", "ns"},          {"count", size_},        {"mean", size_ == 0 ? 0 : sum / static_cast<double>(size_)},
          {"p50", percentile(50)}, {"p99", percentile(99)}, {"p999", percentile(99.9)},
          {"max", percentile(100)}};
}

}  // namespace tensorpool::bench
