// The mapped regions of one epoch of one stream: the header ring and its payload pools.
// Owned by whoever mapped it (the client's conductor), used by one application thread at a time, unmapped by the
// destructor: no pointer into it may outlive it. Everything that an address is computed from was checked here, against
// sizes of the opened files, before the first use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "shm/mapping.hpp"
#include "shm/path_policy.hpp"
#include "shm/region_layout.hpp"
#include "shm/slot_copy.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::shm {

// One payload pool in this process's address space.
struct MappedPool {
  std::uint16_t pool_id = 0;
  std::uint32_t stride_bytes = 0;
  CopyMode copy_mode = CopyMode::words;
  std::byte* slots = nullptr;  // the first slot; nslots of them, stride_bytes apart, 64-byte aligned
};

class RegionSet {
 public:
  // Opens, checks and maps every region of `layout`, read-only for consumers. All or nothing: an error names the region
  // and the first rule that it breaks (limits, path policy, size, each superblock field).
  [[nodiscard]] static Result<std::unique_ptr<RegionSet>> map(const RegionLayout& layout, Access access,
                                                              const PathPolicy& policy);

  RegionSet(const RegionSet&) = delete;
  RegionSet& operator=(const RegionSet&) = delete;

  [[nodiscard]] const RegionLayout& layout() const noexcept { return layout_; }
  [[nodiscard]] std::uint32_t stream_id() const noexcept { return layout_.stream_id; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return layout_.epoch; }
  [[nodiscard]] std::uint32_t nslots() const noexcept { return nslots_; }
  [[nodiscard]] Access access() const noexcept { return access_; }
  // Smallest stride first.
  [[nodiscard]] std::span<const MappedPool> pools() const noexcept { return pools_; }
  // Index into pools(), or -1.
  [[nodiscard]] int pool_index(std::uint16_t pool_id) const noexcept {
    for (std::size_t i = 0; i < pools_.size(); ++i) {
      if (pools_[i].pool_id == pool_id) return static_cast<int>(i);
    }
    return -1;
  }

  // The 32 words of header slot `seq & (nslots - 1)`; the first is the commit word.
  [[nodiscard]] const std::uint64_t* header_words(std::uint64_t seq) const noexcept {
    return header_slots_ + (seq & slot_mask_) * words_per_header;
  }
  // REQUIRES: access() == read_write.
  [[nodiscard]] std::uint64_t* header_words(std::uint64_t seq) noexcept {
    return header_slots_ + (seq & slot_mask_) * words_per_header;
  }

  // Payload slot `seq & (nslots - 1)` of pools()[pool]; the whole stride.
  // REQUIRES: 0 <= pool < pools().size(); to write: access() == read_write.
  [[nodiscard]] std::span<std::byte> payload_slot(std::uint64_t seq, int pool) const noexcept {
    const MappedPool& from = pools_[static_cast<std::size_t>(pool)];
    return {from.slots + (seq & slot_mask_) * from.stride_bytes, from.stride_bytes};
  }

  // Says in every region's superblock that its producer lives. REQUIRES: access() == read_write.
  void touch_activity(Nanos now) noexcept;
  // The newest activity time of any region, in the producer's clock.
  [[nodiscard]] Nanos activity() const noexcept;

  // The path of a region whose memory went away under its mapping (shm/sigbus_guard.hpp), or nullptr. From then on no
  // slot of the set holds a committed frame, whichever region it was.
  [[nodiscard]] const std::string* lost_region() const noexcept;

 private:
  static constexpr std::size_t words_per_header = 32;

  RegionSet(const RegionLayout& layout, Access access);

  RegionLayout layout_;
  Access access_;
  std::uint32_t nslots_;
  std::uint64_t slot_mask_;
  std::uint64_t* header_slots_ = nullptr;
  std::vector<MappedPool> pools_;
  std::vector<Mapping> mappings_;  // the ring's first, then the pools' as in pools_
};

}  // namespace tensorpool::shm
