// The consumer's side of a PartialFrame: makes one from an opened slot, for the length of one call.
#pragma once

#include "protocol/messages.hpp"
#include "shm/slot_reader.hpp"
#include "tensorpool/partial_frame.hpp"

namespace tensorpool::detail {

struct PartialFrameAccess {
  template <class Use>
  static void lend(const protocol::FrameProgress& message, const shm::SlotView& slot, Use&& use) noexcept {
    PartialFrame frame;
    frame.commit_word_ = slot.commit_word;
    frame.filled_ = slot.payload.first(static_cast<std::size_t>(message.payload_bytes_filled));
    frame.layout_ = *slot.layout;
    frame.epoch_ = message.epoch;
    frame.seq_ = message.seq;
    frame.size_bytes_ = slot.payload.size();
    frame.stream_id_ = message.stream_id;
    frame.state_ = state_of(message.state);
    frame.copy_mode_ = static_cast<std::uint8_t>(slot.copy_mode);
    use(static_cast<const PartialFrame&>(frame));
  }

 private:
  static ProgressState state_of(protocol::FrameProgressState state) noexcept {
    switch (state) {
      case protocol::FrameProgressState::progress:
        return ProgressState::filling;
      case protocol::FrameProgressState::complete:
        return ProgressState::complete;
      default:
        return ProgressState::started;
    }
  }
};

}  // namespace tensorpool::detail
