// Which sequences of an epoch are still being filled. Claims complete in any order, descriptors go out in sequence
// order: a frame that is ready waits here behind older claims that are open. One entry per slot, made with the session;
// nothing allocates afterwards. Single thread.
#pragma once

#include <cstdint>
#include <memory>

#include "tensorpool/producer.hpp"

namespace tensorpool::detail {

class ClaimLedger {
 public:
  // REQUIRES: nslots is a power of two; 1 <= max_span <= nslots.
  ClaimLedger(std::uint32_t nslots, std::uint32_t max_span)
      : mask_(nslots - 1), max_span_(max_span), entries_(std::make_unique<Entry[]>(nslots)) {}

  [[nodiscard]] std::uint64_t next_seq() const noexcept { return next_; }
  // The oldest sequence whose fate is unknown, next_seq() if there is none.
  [[nodiscard]] std::uint64_t oldest_open() const noexcept { return oldest_; }
  [[nodiscard]] bool idle() const noexcept { return oldest_ == next_; }
  [[nodiscard]] std::uint32_t open_claims() const noexcept { return open_; }
  [[nodiscard]] std::uint32_t max_span() const noexcept { return max_span_; }
  // Whether one more sequence may begin without coming closer to the oldest open one than readers need.
  [[nodiscard]] bool has_room() const noexcept { return next_ - oldest_ < max_span_; }

  // The next sequence, without an entry: its frame is complete. REQUIRES: idle().
  std::uint64_t pass() noexcept {
    oldest_ = ++next_;
    return next_ - 1;
  }
  // The next sequence, open. REQUIRES: has_room().
  std::uint64_t open() noexcept {
    at(next_).state = State::open;
    ++open_;
    return next_++;
  }

  // Settles `seq` if no other sequence is open or waits: its frame may be sent at once. False: nothing happened.
  // REQUIRES, as the next two: open() returned `seq`, and it was not settled since.
  [[nodiscard]] bool complete_alone(std::uint64_t seq) noexcept {
    if (oldest_ != seq || next_ != seq + 1) return false;
    oldest_ = next_;
    --open_;
    return true;
  }
  void ready(std::uint64_t seq, const FrameInfo& info) noexcept {
    at(seq) = {State::ready, info};
    --open_;
  }
  void abandon(std::uint64_t seq) noexcept {
    at(seq).state = State::abandoned;
    --open_;
  }

  // Calls send(seq, info) for every ready frame that no open claim holds back, in sequence order.
  template <class Send>
  void flush(Send&& send) noexcept {
    for (; oldest_ != next_; ++oldest_) {
      const Entry& entry = at(oldest_);
      if (entry.state == State::open) return;
      if (entry.state == State::ready) send(oldest_, entry.info);
    }
  }
  // Frames that are ready and held back.
  [[nodiscard]] std::uint64_t held_back() const noexcept {
    std::uint64_t held = 0;
    for (std::uint64_t seq = oldest_; seq != next_; ++seq) held += entries_[seq & mask_].state == State::ready ? 1 : 0;
    return held;
  }

 private:
  enum class State : std::uint8_t { open, ready, abandoned };
  struct Entry {
    State state = State::abandoned;
    FrameInfo info;
  };
  Entry& at(std::uint64_t seq) noexcept { return entries_[seq & mask_]; }

  std::uint64_t next_ = 0;  // the first sequence of an epoch is 0
  std::uint64_t mask_;
  std::uint64_t oldest_ = 0;
  std::uint32_t max_span_;
  std::uint32_t open_ = 0;
  std::unique_ptr<Entry[]> entries_;
};

}  // namespace tensorpool::detail
