// The consumer's side of a Frame: makes one from an opened slot, and asks afterwards what became of it.
#pragma once

#include "client/pending_frames.hpp"
#include "shm/slot_reader.hpp"
#include "tensorpool/frame.hpp"

namespace tensorpool::detail {

struct FrameAccess {
  // Calls `use(const Frame&)` and returns whether the frame was whole to the end of its use. What the user accepted by
  // copy_to or read counts as delivered, whatever happened to the slot afterwards.
  template <class Use>
  static bool lend(const shm::RegionSet& regions, const PendingFrame& pending, const shm::SlotView& slot,
                   Use&& use) noexcept {
    Frame frame;
    frame.commit_word_ = slot.commit_word;
    frame.payload_ = slot.payload;
    frame.layout_ = slot.layout;
    frame.epoch_ = regions.epoch();
    frame.seq_ = pending.seq;
    frame.timestamp_ns_ = static_cast<Nanos>(pending.has_timestamp() ? pending.timestamp_ns : slot.fields.timestamp_ns);
    frame.trace_id_ = pending.trace_id;
    frame.stream_id_ = regions.stream_id();
    frame.meta_version_ = pending.has_meta_version() ? pending.meta_version : slot.fields.meta_version;
    frame.copy_mode_ = static_cast<std::uint8_t>(slot.copy_mode);
    use(static_cast<const Frame&>(frame));
    if (frame.verdict_ == Frame::Verdict::open) return frame.still_valid();
    return frame.verdict_ == Frame::Verdict::accepted;
  }
};

}  // namespace tensorpool::detail
