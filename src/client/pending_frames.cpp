#include "client/pending_frames.hpp"

#include <algorithm>

namespace tensorpool::detail {

// nslots is a power of two (checked when it was mapped), and so is the capacity.
PendingFrames::PendingFrames(const shm::RegionSet& regions)
    : reader_(regions),
      nslots_(regions.nslots()),
      capacity_(std::max<std::uint64_t>(nslots_, 2)),
      entries_(std::make_unique<PendingFrame[]>(capacity_)) {}

PendingFrames::Verdict PendingFrames::on_descriptor(const protocol::FrameDescriptor& descriptor) noexcept {
  const std::uint64_t seq = descriptor.seq;
  if (seq < expected_) return Verdict::repeated;
  // Descriptors follow their commit, so the slot holds this sequence, a later one, or at the very least the one a lap
  // before.
  const std::uint64_t in_slot = protocol::seq_of(reader_.commit_word_value(seq));
  if (seq >= nslots_ && in_slot < seq - nslots_) return Verdict::implausible;
  PendingFrame& frame = push(seq);
  classify_hole(frame, true);
  frame.timestamp_ns = descriptor.timestamp_ns;
  frame.meta_version = descriptor.meta_version;
  frame.trace_id = descriptor.trace_id;
  expected_ = seq + 1;
  started_ = true;
  return Verdict::queued;
}

void PendingFrames::on_found(std::uint64_t seq) noexcept {
  if (seq < expected_) return;
  classify_hole(push(seq), false);
  expected_ = seq + 1;
  started_ = true;
}

PendingFrame& PendingFrames::push(std::uint64_t seq) noexcept {
  PendingFrame& frame = entries_[tail_ & (capacity_ - 1)];
  ++tail_;
  frame = PendingFrame{};
  frame.seq = seq;
  return frame;
}

void PendingFrames::classify_hole(PendingFrame& behind, bool announced) const noexcept {
  if (!started_ || behind.seq == expected_) return;
  const std::uint64_t missing = behind.seq - expected_;
  std::uint64_t abandoned = 0;
  // Only what a lap has not yet overwritten can still be told. A claim that is merely open looks like one given up, but
  // no later descriptor is sent before it is settled; a frame that was found without a descriptor proves nothing.
  if (announced) {
    for (std::uint64_t seq = behind.seq - std::min(missing, nslots_ - 1); seq < behind.seq; ++seq) {
      if (reader_.commit_word_value(seq) == protocol::in_progress_word(seq)) ++abandoned;
    }
  }
  behind.abandoned_before = abandoned;
  behind.gaps_before = missing - abandoned;
}

}  // namespace tensorpool::detail
