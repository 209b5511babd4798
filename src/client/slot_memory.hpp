// What a reader saw in each slot last, so that it recognises a slot whose commit word is ahead of its content: the word
// of a frame that is not written yet, over the header of the frame that lay there a lap ago. One thread; nothing
// allocates after construction; 16 bytes for each slot.
//
// A header that repeats the time stamp and the fields of the lap before proves that only on a stream whose stamps
// advance. Where they stand still or go back, as in a replay that loops, two laps of the trust are suspended; and a
// descriptor that states the same time stamp vouches for the slot.
#pragma once

#include <cstdint>
#include <memory>

#include "protocol/shm_layout.hpp"

namespace tensorpool::detail {

class SlotMemory {
 public:
  // REQUIRES: nslots is a power of two.
  explicit SlotMemory(std::uint64_t nslots) : mask_(nslots - 1), seen_(std::make_unique<Seen[]>(nslots)) {}

  // Whether the slot of `seq` still holds what this reader saw there. REQUIRES: `seq` was not accepted before.
  [[nodiscard]] bool is_stale(std::uint64_t seq, const protocol::FrameFields& fields) const noexcept {
    const Seen& seen = seen_[seq & mask_];
    if (seen.stamp != fields.timestamp_ns) [[likely]]
      return false;
    return fields.timestamp_ns < newest_ && seen.length == fields.values_len_bytes &&
           seen.meta_version == fields.meta_version && seq >= trusted_from_;
  }
  // A frame that is read, and is not stale.
  void accept(std::uint64_t seq, const protocol::FrameFields& fields) noexcept {
    seen_[seq & mask_] = {fields.timestamp_ns, fields.values_len_bytes, fields.meta_version};
    if (fields.timestamp_ns <= newest_) [[unlikely]]
      trusted_from_ = seq + 2 * (mask_ + 1);
    newest_ = fields.timestamp_ns;
  }

 private:
  struct Seen {
    std::uint64_t stamp = 0;  // 0 in a slot that was not read yet, and in a frame without one: neither is judged
    // Slot and offset are the same in each frame of a slot, and the length decides the pool.
    std::uint32_t length = 0;
    std::uint32_t meta_version = 0;
  };

  std::uint64_t mask_;
  std::unique_ptr<Seen[]> seen_;
  std::uint64_t newest_ = 0;        // the stamp of the frame that was accepted last
  std::uint64_t trusted_from_ = 0;  // the sequence from which on stamps are trusted to advance
};

}  // namespace tensorpool::detail
