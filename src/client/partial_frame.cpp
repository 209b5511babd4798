#include "tensorpool/partial_frame.hpp"

#include <algorithm>

#include "shm/slot_reader.hpp"

namespace tensorpool {

std::string_view to_string(ProgressState state) noexcept {
  switch (state) {
    case ProgressState::started:
      return "started";
    case ProgressState::filling:
      return "filling";
    case ProgressState::complete:
      return "complete";
  }
  return "unknown";
}

std::uint32_t PartialFrame::rows_filled() const noexcept {
  if (layout_.progress_unit == ProgressUnit::none || layout_.progress_stride_bytes == 0 || layout_.ndims == 0) return 0;
  const std::size_t slowest = layout_.major_order == MajorOrder::column ? layout_.ndims - 1U : 0U;
  const auto rows = static_cast<std::size_t>(layout_.dims[slowest]);
  // The last row may end before its stride does.
  if (filled_.size() >= layout_.extent_bytes()) return static_cast<std::uint32_t>(rows);
  return static_cast<std::uint32_t>(std::min(rows, filled_.size() / layout_.progress_stride_bytes));
}

Expected<std::size_t, FrameLoss> PartialFrame::copy_to(std::span<std::byte> out) const noexcept {
  if (!shm::copy_out(out, filled_, static_cast<shm::CopyMode>(copy_mode_))) return FrameLoss::buffer_too_small;
  if (!still_valid()) return FrameLoss::overwritten;
  return filled_.size();
}

bool PartialFrame::still_valid() const noexcept { return shm::still_in_flight(commit_word_, seq_); }

}  // namespace tensorpool
