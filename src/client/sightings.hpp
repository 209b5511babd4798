// A bounded table of clients, by stream and id, that somebody heard of. Anybody can make up ids: who is not confirmed
// (by a lease, or by an announce) gives way when the table is full, and never pushes out another.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "tensorpool/monitor.hpp"

namespace tensorpool::detail {

// What the table itself must know; the rest of an entry is its owner's.
struct Sighting {
  Nanos last_seen = 0;
  Nanos ended_at = 0;               // when its lease ended
  std::uint64_t ended_lease = 0;    // which one it was, 0 = unknown
  std::uint64_t current_lease = 0;  // the last one heard of
  bool confirmed = false;
  Liveness liveness = Liveness::gone;
};

template <class Entry>
class Sightings {
 public:
  using Key = std::pair<std::uint32_t, std::uint32_t>;  // stream, client

  explicit Sightings(std::size_t limit) : limit_(limit) {}

  [[nodiscard]] Entry* find(Key key) {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second;
  }
  // The entry, made if there is room; nullptr otherwise. A confirmed newcomer may take the place of one who is not.
  [[nodiscard]] Entry* find_or_add(Key key, bool confirmed) {
    if (Entry* known = find(key)) {
      confirm(*known, confirmed);
      return known;
    }
    if (entries_.size() >= limit_ && !(confirmed && evict())) return nullptr;
    Entry& made = entries_[key];
    if (!confirmed) ++unconfirmed_;
    made.confirmed = confirmed;
    return &made;
  }
  template <class Predicate>
  void erase_if(Predicate&& leaves) {
    std::erase_if(entries_, [&](const auto& one) {
      if (!leaves(one.second)) return false;
      if (!one.second.confirmed) --unconfirmed_;
      return true;
    });
  }
  template <class Predicate>
  void erase_one(Key key, Predicate&& leaves) {
    const auto found = entries_.find(key);
    if (found == entries_.end() || !leaves(found->second)) return;
    if (!found->second.confirmed) --unconfirmed_;
    entries_.erase(found);
  }
  [[nodiscard]] std::map<Key, Entry>& all() noexcept { return entries_; }
  [[nodiscard]] const std::map<Key, Entry>& all() const noexcept { return entries_; }

 private:
  void confirm(Entry& entry, bool confirmed) {
    if (!confirmed || entry.confirmed) return;
    entry.confirmed = true;
    --unconfirmed_;
  }
  bool evict() {
    if (unconfirmed_ == 0) return false;  // and no search: this may be a flood
    const auto victim =
        std::find_if(entries_.begin(), entries_.end(), [](const auto& one) { return !one.second.confirmed; });
    entries_.erase(victim);
    --unconfirmed_;
    return true;
  }

  std::size_t limit_;
  std::size_t unconfirmed_ = 0;
  std::map<Key, Entry> entries_;
};

}  // namespace tensorpool::detail
