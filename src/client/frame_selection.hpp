// Which of the frames that could be read a consumer wants: every n-th sequence, and of those at most so many a second.
// Both count from the last frame that was delivered, so a frame that was lost on the way makes room for the next one.
// The application's thread only; nothing allocates.
#pragma once

#include <algorithm>
#include <cstdint>

#include "client/rate_gate.hpp"

namespace tensorpool::detail {

class FrameSelection {
 public:
  explicit FrameSelection(std::uint32_t decimation) noexcept : decimation_(std::max(decimation, 1U)) {}

  // Sequences start anew with an epoch. Time goes on, so the rate's budget stays as it is.
  void begin_epoch() noexcept { next_wanted_ = 0; }
  [[nodiscard]] bool decimates(std::uint64_t seq) const noexcept { return seq < next_wanted_; }
  // REQUIRES: the gate was asked about this frame.
  void delivered(std::uint64_t seq) noexcept {
    if (decimation_ > 1) next_wanted_ = seq + decimation_;
    gate.pass();
  }

  RateGate gate;

 private:
  const std::uint32_t decimation_;
  std::uint64_t next_wanted_ = 0;
};

}  // namespace tensorpool::detail
