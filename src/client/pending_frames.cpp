#include "client/pending_frames.hpp"

#include <algorithm>

namespace tensorpool::detail {
// nslots is a power of two (checked when it was mapped), and so is the capacity.
PendingFrames::PendingFrames(const shm::RegionSet& regions)
    : reader_(regions),
      nslots_(regions.nslots()),
      capacity_(std::max<std::uint64_t>(nslots_, 2)),
      entries_(std::make_unique<PendingFrame[]>(capacity_)) {}

void PendingFrames::complete(const protocol::DescriptorFields& descriptor) noexcept {
  std::uint64_t low = head_;  // sequences ascend from head to tail
  for (std::uint64_t high = tail_; low < high;) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (at(middle).seq < descriptor.seq) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low != tail_ && at(low).seq == descriptor.seq) tell(at(low), descriptor);
}

void PendingFrames::on_found(std::uint64_t seq) noexcept {
  if (seq < expected_) return;
  PendingFrame& frame = push(seq);
  frame.found = true;
  classify_hole(frame, false);
  expected_ = seq + 1;
  started_ = true;
}

// Only what a lap has not yet overwritten can still be told from a lost descriptor. A claim that is merely open looks
// like one given up, but no later descriptor is sent before it is settled.
MissedFrames PendingFrames::missed(std::uint64_t from, std::uint64_t to) const noexcept {
  if (from >= to) return {};
  std::uint64_t abandoned = 0;
  for (std::uint64_t seq = to - std::min(to - from, nslots_); seq < to; ++seq) {
    if (reader_.commit_word_value(seq) == protocol::in_progress_word(seq)) ++abandoned;
  }
  return {to - from - abandoned, abandoned};
}

std::uint64_t PendingFrames::first_unsettled(std::uint64_t end) const noexcept {
  for (std::uint64_t seq = std::max(expected_, end - std::min(end, nslots_)); seq < end; ++seq) {
    if (reader_.commit_word_value(seq) == protocol::in_progress_word(seq)) return seq;
  }
  return end;
}

std::uint64_t PendingFrames::ring_end() const noexcept {
  std::uint64_t end = 0;
  for (std::uint64_t index = 0; index < nslots_; ++index) {
    const std::uint64_t word = reader_.commit_word_value(index);
    const std::uint64_t seq = protocol::seq_of(word);
    if (word != 0 && (seq & (nslots_ - 1)) == index) end = std::max(end, seq + 1);
  }
  return end;
}

void PendingFrames::classify_hole(PendingFrame& behind, bool announced) const noexcept {
  if (!started_ || behind.seq == expected_) return;
  // A frame that was found without a descriptor proves nothing: the claims before it may still be open.
  const MissedFrames hole =
      announced ? missed(expected_, behind.seq) : MissedFrames{.gaps = behind.seq - expected_, .abandoned = 0};
  behind.abandoned_before = hole.abandoned;
  behind.gaps_before = hole.gaps;
}

}  // namespace tensorpool::detail
