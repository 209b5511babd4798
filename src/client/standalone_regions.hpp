// The region files of a stream that belongs to its producer: takes the stream's part of the namespace's lock, waits out
// or refuses whoever may still write, removes dead epochs and makes new ones, a bounded step at a time. What it holds
// is removed at the latest with it. Conductor's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/file_lock.hpp"
#include "shm/epoch_store.hpp"
#include "shm/region_creator.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/standalone.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::detail {

class StandaloneRegions {
 public:
  // An epoch with activity younger than `freshness_ns` may have a living writer.
  StandaloneRegions(StandaloneOptions options, std::uint32_t stream_id, Nanos freshness_ns,
                    shm::SystemCalls& calls = shm::system_calls());
  ~StandaloneRegions();
  StandaloneRegions(const StandaloneRegions&) = delete;
  StandaloneRegions& operator=(const StandaloneRegions&) = delete;

  // One step towards an epoch of its own; true once there is one. After an error nothing new is left behind.
  [[nodiscard]] Result<bool> step(Nanos now);
  // Nothing to do until later.
  [[nodiscard]] bool rests(Nanos now) const noexcept { return now < look_again_at_; }
  // The epoch is over: the next step begins with another one.
  void begin_anew() noexcept;
  // REQUIRES: step() said true.
  [[nodiscard]] const shm::RegionLayout& layout() const noexcept { return *layout_; }
  // Removes a file of any of this stream's epochs; false when nothing is left that can be removed.
  bool remove_step();
  // What could not be removed, once each.
  [[nodiscard]] std::optional<std::string> take_trouble();
  // What it is at, for a time-out.
  [[nodiscard]] std::string_view doing() const noexcept;

 private:
  enum class Stage : std::uint8_t { open, watch, collect, make, create, done };

  Status open(Nanos now);
  [[nodiscard]] bool may_come_free(Nanos now);
  Status watch(Nanos now);
  Status collect(Nanos now);
  Status make(Nanos now);
  Status create(Nanos now);
  [[nodiscard]] shm::RegionSpec spec(std::uint64_t epoch) const;
  [[nodiscard]] Result<std::optional<Nanos>> newest_fresh_activity(Nanos now) const;
  Status queue_all_epochs();
  bool remove_one_file();
  void note_trouble(const Error& error);

  const StandaloneOptions options_;
  const std::uint32_t stream_id_;
  const Nanos freshness_ns_;
  shm::SystemCalls& calls_;

  Stage stage_ = Stage::open;
  std::optional<shm::EpochStore> store_;
  std::optional<FileLock> lock_;  // of this stream in the namespace; nothing is touched without it
  std::optional<Nanos> taken_since_;
  std::optional<Nanos> watched_activity_;
  Nanos look_again_at_ = 0;
  std::deque<std::uint64_t> to_remove_;
  std::optional<shm::EpochRemoval> removal_;
  std::optional<Nanos> last_removal_;
  std::uint64_t last_epoch_ = 0;
  std::optional<shm::RegionCreator> creator_;
  std::optional<shm::RegionLayout> layout_;
  std::deque<std::string> troubles_;
};

}  // namespace tensorpool::detail
