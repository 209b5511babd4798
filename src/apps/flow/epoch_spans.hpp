// The sequences that were seen in each epoch, first and last.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tensorpool::apps {

struct EpochSpan {
  std::uint64_t epoch = 0;
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  bool operator==(const EpochSpan&) const = default;
};

class EpochSpans {
 public:
  void extend(std::uint64_t epoch, std::uint64_t seq) {
    if (spans_.empty() || spans_.back().epoch != epoch) spans_.push_back({epoch, seq, seq});
    spans_.back().first_seq = std::min(spans_.back().first_seq, seq);
    spans_.back().last_seq = std::max(spans_.back().last_seq, seq);
  }
  [[nodiscard]] const std::vector<EpochSpan>& all() const noexcept { return spans_; }

 private:
  std::vector<EpochSpan> spans_;
};

}  // namespace tensorpool::apps
