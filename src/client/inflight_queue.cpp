#include "tensorpool/inflight_queue.hpp"

#include <algorithm>
#include <utility>

namespace tensorpool {

bool InflightQueue::push(BufferId id, SlotClaim&& claim) noexcept {
  if (full() || index_of(id) != entries_.size()) return false;
  entries_.push_back({id, next_turn_++, std::move(claim)});  // within the capacity that was reserved
  return true;
}

std::optional<SlotClaim> InflightQueue::take(BufferId id) noexcept { return remove(index_of(id)); }

std::optional<SlotClaim> InflightQueue::pop() noexcept { return remove(index_of_oldest()); }

std::optional<InflightQueue::BufferId> InflightQueue::oldest() const noexcept {
  return empty() ? std::nullopt : std::optional(entries_[index_of_oldest()].id);
}

SlotClaim* InflightQueue::find(BufferId id) noexcept {
  const std::size_t index = index_of(id);
  return index == entries_.size() ? nullptr : &entries_[index].claim;
}

// A device has few buffers: a look at each is quicker than a table.
std::size_t InflightQueue::index_of(BufferId id) const noexcept {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [id](const Entry& entry) { return entry.id == id; });
  return static_cast<std::size_t>(found - entries_.begin());
}

std::size_t InflightQueue::index_of_oldest() const noexcept {
  const auto found = std::min_element(entries_.begin(), entries_.end(),
                                      [](const Entry& a, const Entry& b) { return a.turn < b.turn; });
  return static_cast<std::size_t>(found - entries_.begin());
}

std::optional<SlotClaim> InflightQueue::remove(std::size_t index) noexcept {
  if (index == entries_.size()) return std::nullopt;
  std::optional<SlotClaim> claim(std::move(entries_[index].claim));
  if (index + 1 != entries_.size()) entries_[index] = std::move(entries_.back());
  entries_.pop_back();
  return claim;
}

}  // namespace tensorpool
