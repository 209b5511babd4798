// Frames whose descriptors arrived and that wait for their turn: a ring of as many entries as the region has slots,
// made when the session is built, so that draining the descriptor stream never allocates. Single thread.
//
// It also decides what each descriptor means for the sequence: too low is a repeat and ignored; a jump is a hole, and
// each missing sequence was either given up by the producer (its slot still says "in progress" for exactly that
// sequence, although a later descriptor exists) or its descriptor is lost. Holes travel with the frame behind them, so
// that the books are written in order.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "protocol/descriptor_bytes.hpp"
#include "shm/slot_reader.hpp"

namespace tensorpool::detail {

struct PendingFrame {
  std::uint64_t seq = 0;
  std::uint64_t gaps_before = 0;
  std::uint64_t abandoned_before = 0;
  // As its descriptor tells; null as long as none came.
  std::uint64_t timestamp_ns = protocol::DescriptorFields::no_timestamp;
  std::uint64_t trace_id = protocol::DescriptorFields::no_trace_id;
  std::uint32_t meta_version = protocol::DescriptorFields::no_meta_version;
  bool found = false;  // in the ring, not announced

  [[nodiscard]] bool has_timestamp() const noexcept { return timestamp_ns != protocol::DescriptorFields::no_timestamp; }
  [[nodiscard]] bool has_meta_version() const noexcept {
    return meta_version != protocol::DescriptorFields::no_meta_version;
  }
};

// Sequences that no frame in the queue stands for.
struct MissedFrames {
  std::uint64_t gaps = 0;
  std::uint64_t abandoned = 0;
};

class PendingFrames {
 public:
  enum class Verdict : std::uint8_t { news, repeated, implausible };

  // REQUIRES: regions outlives this.
  explicit PendingFrames(const shm::RegionSet& regions);

  // What a descriptor of this epoch for `seq` would be. implausible: the ring has not come that far.
  [[nodiscard]] Verdict judge(std::uint64_t seq) const noexcept;
  // REQUIRES: judge(descriptor.seq) says news; !full().
  void on_descriptor(const protocol::DescriptorFields& descriptor) noexcept;
  // A repeated descriptor: what only it says goes to its frame, if that was found in the ring and still waits.
  void complete(const protocol::DescriptorFields& descriptor) noexcept;
  // A frame that was found committed in the ring, ahead of, or without, its descriptor. What lies between is a gap.
  void on_found(std::uint64_t seq) noexcept;

  // Whether a sequence was ever queued, or expected by continue_at. An epoch may start at any sequence.
  [[nodiscard]] bool started() const noexcept { return started_; }
  // The lowest sequence that is news.
  [[nodiscard]] std::uint64_t expected() const noexcept { return expected_; }
  // Sequences below `seq` are none of our business; the first at or above it is our first.
  void begin_at(std::uint64_t seq) noexcept { expected_ = seq; }
  // Sequences below `seq` are in the books already; any that is missing from there on is a gap.
  void continue_at(std::uint64_t seq) noexcept {
    expected_ = seq;
    started_ = true;
  }

  // Goes on with what another mapping of the same epoch has in its queue. REQUIRES: nothing was queued here.
  void continue_from(PendingFrames& other) noexcept {
    std::swap(entries_, other.entries_);
    head_ = other.head_;
    tail_ = other.tail_;
    continue_at(other.expected_);
  }

  // One past the newest sequence of which the ring knows, committed or not; 0 for a ring that nobody wrote to.
  [[nodiscard]] std::uint64_t ring_end() const noexcept;
  // The first sequence in [expected(), end) that a claim may still hold back, and with it the descriptors of all after
  // it; `end` if there is none.
  [[nodiscard]] std::uint64_t first_unsettled(std::uint64_t end) const noexcept;
  // What became of the sequences in [from, to), none of which will be heard of any more.
  [[nodiscard]] MissedFrames missed(std::uint64_t from, std::uint64_t to) const noexcept;

  [[nodiscard]] bool empty() const noexcept { return head_ == tail_; }
  [[nodiscard]] bool full() const noexcept { return tail_ - head_ == capacity_; }
  // REQUIRES: !empty().
  [[nodiscard]] const PendingFrame& front() const noexcept { return entries_[head_ & (capacity_ - 1)]; }
  [[nodiscard]] const PendingFrame& back() const noexcept { return entries_[(tail_ - 1) & (capacity_ - 1)]; }
  void pop() noexcept { ++head_; }
  // The only frame that waits was no frame: it, and what is missing before it, is news again. False if others wait.
  [[nodiscard]] bool take_back() noexcept {
    if (tail_ - head_ != 1) return false;
    const PendingFrame& frame = back();
    expected_ = frame.seq - frame.gaps_before - frame.abandoned_before;
    --tail_;
    return true;
  }

 private:
  static void tell(PendingFrame& frame, const protocol::DescriptorFields& descriptor) noexcept;
  // REQUIRES: !full().
  PendingFrame& push(std::uint64_t seq) noexcept;
  [[nodiscard]] PendingFrame& at(std::uint64_t position) noexcept { return entries_[position & (capacity_ - 1)]; }
  void classify_hole(PendingFrame& behind, bool announced) const noexcept;

  shm::SlotReader reader_;
  std::uint64_t nslots_;
  std::uint64_t capacity_;
  std::unique_ptr<PendingFrame[]> entries_;
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  std::uint64_t expected_ = 0;
  bool started_ = false;
};

// --- Each frame passes here, so these are for the compiler to see ---

inline PendingFrames::Verdict PendingFrames::judge(std::uint64_t seq) const noexcept {
  if (seq < expected_) return Verdict::repeated;
  // A descriptor follows its commit, so its slot holds this sequence or a later one; also when it was given up.
  const std::uint64_t in_slot = protocol::seq_of(reader_.commit_word_value(seq));
  return in_slot < seq ? Verdict::implausible : Verdict::news;
}

inline void PendingFrames::tell(PendingFrame& frame, const protocol::DescriptorFields& descriptor) noexcept {
  frame.timestamp_ns = descriptor.timestamp_ns;
  frame.meta_version = descriptor.meta_version;
  frame.trace_id = descriptor.trace_id;
}

inline PendingFrame& PendingFrames::push(std::uint64_t seq) noexcept {
  PendingFrame& frame = entries_[tail_ & (capacity_ - 1)];
  ++tail_;
  frame = PendingFrame{};
  frame.seq = seq;
  return frame;
}

inline void PendingFrames::on_descriptor(const protocol::DescriptorFields& descriptor) noexcept {
  PendingFrame& frame = push(descriptor.seq);
  if (descriptor.seq != expected_) [[unlikely]]
    classify_hole(frame, true);
  tell(frame, descriptor);
  expected_ = descriptor.seq + 1;
  started_ = true;
}

}  // namespace tensorpool::detail
