// Makes the region files of one epoch, a bounded step at a time, so that an owner that reserves gigabytes goes on
// serving leases. The files grow in a directory of a temporary name; the last step renames it. Until then nobody can
// announce them, and a creator that fails or is destroyed removes all that it made.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "shm/epoch_store.hpp"
#include "shm/region_layout.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::shm {

enum class Reserve : unsigned char {
  full,      // every block now: no later touch can kill a process
  on_touch,  // sparse: a touch on a full file system is SIGBUS; for a laptop, never prefaulted
};

struct PoolSpec {
  std::uint16_t pool_id = 0;
  std::uint32_t stride_bytes = 0;
};

struct RegionSpec {
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint32_t nslots = 0;
  std::vector<PoolSpec> pools;
  mode_t file_mode = 0660;  // exactly this, whatever the umask
  Reserve reserve = Reserve::full;
  bool pools_reserved = true;  // false: an idle epoch, ring reserved, pools sparse with only their superblock
  bool prefault = true;
  bool mlock = false;
  bool require_hugepages = false;
  std::uint64_t pid = 0;  // for people; nobody decides by it
};

// Bytes that making this epoch takes from the file system now, each file rounded up to pages of `page_bytes`;
// saturates.
[[nodiscard]] std::uint64_t bytes_to_reserve(const RegionSpec& spec, std::uint64_t page_bytes = 4096);

// Mappings that keep mlocked regions locked; released with the owner.
class LockedRegions {
 public:
  LockedRegions() = default;
  LockedRegions(LockedRegions&&) noexcept = default;
  LockedRegions& operator=(LockedRegions&& other) noexcept;
  ~LockedRegions();

  [[nodiscard]] bool empty() const noexcept { return regions_.empty(); }
  // Lets go of at most `max_bytes`, which are whole pages: for an owner who must not be held up by gigabytes.
  void release_some(std::size_t max_bytes) noexcept;

 private:
  friend class RegionCreator;
  struct Region {
    void* address;
    std::size_t length;
  };
  std::vector<Region> regions_;
  SystemCalls* calls_ = nullptr;
};

class RegionCreator {
 public:
  enum class Progress : unsigned char { working, done };

  // Checks the spec, and makes the temporary directory. REQUIRES: store outlives the creator.
  [[nodiscard]] static Result<RegionCreator> begin(EpochStore& store, const RegionSpec& spec);

  RegionCreator(RegionCreator&&) noexcept;
  RegionCreator& operator=(RegionCreator&&) noexcept;
  ~RegionCreator();  // removes what it made, unless done

  // Does one piece of work on at most `max_bytes` (at least one page). `now` goes into the superblocks as start and
  // activity time of the region. After an error everything is removed and further steps answer the same error.
  [[nodiscard]] Result<Progress> step(std::uint64_t max_bytes, Nanos now);

  // With mlock: the error that step() answers is that the system does not lock so much memory.
  [[nodiscard]] bool lock_refused() const noexcept;

  // What the file system has still to give for this epoch.
  [[nodiscard]] std::uint64_t bytes_left_to_reserve() const noexcept;

  // The finished epoch's paths and shape. REQUIRES: done.
  [[nodiscard]] RegionLayout layout() const;
  // With mlock: what keeps the pages locked, to be kept as long as the epoch lives. REQUIRES: done.
  [[nodiscard]] LockedRegions take_locked() noexcept;

 private:
  struct Impl;
  explicit RegionCreator(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tensorpool::shm
