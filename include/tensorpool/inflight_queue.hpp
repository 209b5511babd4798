// The claims that a device is filling, by the id that the device gives each of its buffers: push when a buffer is
// queued at the device, take when the device says that it is done, in whatever order it does. The capacity is set once
// and nothing allocates afterwards. Owned and used by the producer's thread.
// A claim that is still here when the queue goes is abandoned, so stop the device first: it writes into these slots.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tensorpool/producer.hpp"

namespace tensorpool {

class InflightQueue {
 public:
  using BufferId = std::uint64_t;

  explicit InflightQueue(std::size_t capacity) : capacity_(capacity) { entries_.reserve(capacity); }

  // False, and the claim stays with the caller, when the queue is full or holds `id` already.
  [[nodiscard]] bool push(BufferId id, SlotClaim&& claim) noexcept;
  // The claim of buffer `id`; empty when there is none, such as for an id that a device reports twice.
  [[nodiscard]] std::optional<SlotClaim> take(BufferId id) noexcept;
  // The claim that was pushed first, for a device that completes in order.
  [[nodiscard]] std::optional<SlotClaim> pop() noexcept;
  // Abandons every claim. REQUIRES: no device fills them any more.
  void clear() noexcept { entries_.clear(); }

  // The buffer that was pushed first.
  [[nodiscard]] std::optional<BufferId> oldest() const noexcept;
  // Looks at a claim where it is; null for an unknown id. Valid until the next push, take, pop or clear.
  [[nodiscard]] SlotClaim* find(BufferId id) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  [[nodiscard]] bool full() const noexcept { return entries_.size() >= capacity_; }

 private:
  // In no order: a claim that is taken is replaced by the last one.
  struct Entry {
    BufferId id;
    std::uint64_t turn;
    SlotClaim claim;
  };
  [[nodiscard]] std::size_t index_of(BufferId id) const noexcept;
  [[nodiscard]] std::size_t index_of_oldest() const noexcept;
  std::optional<SlotClaim> remove(std::size_t index) noexcept;

  std::size_t capacity_;
  std::uint64_t next_turn_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace tensorpool
