// EpochCollector: removes the epochs nobody can need any more, a file per step (driver spec §6; behaviour: epoch GC).
//
// Never removed: the current epoch of a stream, and one of a former life of the driver that somebody still writes
// (fresh activity: its producer has not noticed yet). By rank and age the rest goes: beyond the `keep` newest and older
// than the minimum age; when space is short, rank and age of what this driver itself replaced do not count.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "roles/driver/stream_table.hpp"
#include "shm/epoch_store.hpp"
#include "tensorpool/driver_config.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::driver {

class EpochCollector {
 public:
  // REQUIRES: all outlive this.
  EpochCollector(const DriverConfig& config, const StreamTable& streams, shm::EpochStore& store, Log& log)
      : config_(config), streams_(streams), store_(store), log_(log) {}

  // The stream's epoch was replaced or its producer is gone: dead since `now`.
  void superseded(std::uint32_t stream_id, std::uint64_t epoch, Nanos now);

  // Takes what held a dead epoch's pages in memory, and lets go of it piece by piece before files are removed.
  void release(shm::LockedRegions locked);

  // Lets go of a piece, removes one file, or looks at one stream; begins a round every announce period. How much was
  // done.
  int step(Nanos now);
  // Space is short, or the driver ends: removes one file of a dead epoch whatever its rank. False when there is nothing
  // left to remove.
  [[nodiscard]] bool reclaim(Nanos now);
  // Everything, the current epochs too; for the end of a driver that cleans up. False when nothing is left.
  [[nodiscard]] bool remove_everything();

  [[nodiscard]] std::uint64_t collected() const noexcept { return collected_; }
  // When the last epoch went; its memory is free once the last reader has unmapped it.
  [[nodiscard]] std::optional<Nanos> last_removal() const noexcept { return last_removal_; }

 private:
  using EpochId = std::pair<std::uint32_t, std::uint64_t>;

  void begin(Nanos now);
  [[nodiscard]] std::vector<std::uint64_t> epochs_of(std::uint32_t stream_id, Nanos now);
  [[nodiscard]] bool is_current(EpochId id) const;
  [[nodiscard]] bool is_old(EpochId id, Nanos min_age, Nanos now) const;
  void queue_dead(std::uint32_t stream_id, Nanos now);
  void queue_for_space(Nanos now);
  void queue_removal(EpochId id);
  [[nodiscard]] bool release_one_piece();
  [[nodiscard]] bool remove_one_file(Nanos now);

  const DriverConfig& config_;
  const StreamTable& streams_;
  shm::EpochStore& store_;
  Log& log_;
  std::map<EpochId, Nanos> superseded_;   // by this driver, until removed
  std::deque<std::uint32_t> to_look_at_;  // streams of the current round
  std::optional<Nanos> next_round_at_;
  std::deque<shm::LockedRegions> to_release_;
  std::deque<EpochId> to_remove_;
  std::set<EpochId> unremovable_;  // tried and failed: not tried again by this driver
  std::optional<shm::EpochRemoval> removal_;
  EpochId removing_;
  std::uint64_t collected_ = 0;
  std::optional<Nanos> last_removal_;
};

}  // namespace tensorpool::driver
