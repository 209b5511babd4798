#include "client/frame_wait.hpp"

#include <algorithm>

#include "protocol/shm_layout.hpp"
#include "shm/slot_reader.hpp"

namespace tensorpool::detail {

void FrameWait::look(const shm::RegionSet& regions, std::uint64_t expected) noexcept {
  if (epoch_ != regions.epoch()) {
    epoch_ = regions.epoch();
    from_ = 0;
    missed_ = 0;
    naps_left_ = 0;
    wakes_ = false;
  }
  const shm::SlotReader reader(regions);
  seq_ = std::max(from_, expected);
  word_ = reader.commit_word_value(seq_);
  if (protocol::seq_of(word_) <= seq_) return;
  // A lap or more behind what is written: nothing will come to this slot for a while.
  const auto committed = shm::committed_range(regions);
  if (committed && committed->newest > seq_) seq_ = committed->newest;
  word_ = reader.commit_word_value(seq_);
}

bool FrameWait::saw_frame() noexcept {
  if (word_ < protocol::committed_word(seq_)) return false;
  from_ = seq_ + 1;
  return true;
}

void FrameWait::sleep(const shm::RegionSet& regions, Nanos longest) noexcept {
  if (naps_left_ > 0) {
    --naps_left_;
    return nap();
  }
  const shm::SlotReader reader(regions);
  const Nanos limit = std::min(longest, wakes_ ? longest_sleep_ns : first_sleep_ns);
  switch (reader.park(seq_, word_, limit)) {
    case shm::Parked::woken:
      wakes_ = true;
      missed_ = 0;
      break;
    case shm::Parked::changed:
      break;
    case shm::Parked::timed_out:
      if (reader.commit_word_value(seq_) < protocol::committed_word(seq_)) break;
      if (++missed_ < missed_wakes) break;
      missed_ = 0;
      wakes_ = false;
      naps_left_ = naps_in_a_row;
      break;
    case shm::Parked::refused:
      nap();
      break;
  }
}

}  // namespace tensorpool::detail
