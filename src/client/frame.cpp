#include "tensorpool/frame.hpp"

#include "shm/slot_reader.hpp"

namespace tensorpool {

std::string_view to_string(FrameLoss loss) noexcept {
  switch (loss) {
    case FrameLoss::overwritten:
      return "overwritten";
    case FrameLoss::buffer_too_small:
      return "buffer too small";
    case FrameLoss::wrong_type:
      return "wrong type";
  }
  return "unknown";
}

Expected<std::size_t, FrameLoss> Frame::copy_to(std::span<std::byte> out) const noexcept {
  if (!shm::copy_out(out, payload_, static_cast<shm::CopyMode>(copy_mode_))) return FrameLoss::buffer_too_small;
  if (!accept_if_valid()) return FrameLoss::overwritten;
  return payload_.size();
}

bool Frame::still_valid() const noexcept { return shm::still_valid(commit_word_, seq_); }

bool Frame::accept_if_valid() const noexcept {
  const bool valid = still_valid();
  if (verdict_ != Verdict::accepted) verdict_ = valid ? Verdict::accepted : Verdict::lost;
  return valid;
}

}  // namespace tensorpool
