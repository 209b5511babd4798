// The producer's hand on the slots: mark, fill, describe, commit. No allocation, lock or system call (but for
// wake); nothing here waits. One thread at a time. Several sequences may be between begin and commit, as long as they
// lie in different slots.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "protocol/shm_layout.hpp"
#include "shm/region_set.hpp"
#include "shm/seqlock.hpp"
#include "tensorpool/tensor.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::shm {

// Who writes the payload between begin and commit.
enum class FilledBy : std::uint8_t {
  copy_in,  // nobody but SlotWriter::copy_in
  others,   // the application, SIMD code, a device: their stores are fenced off too
};

// What goes into the slot header beside sequence, pool and payload slot.
struct SlotMeta {
  std::uint32_t values_len_bytes = 0;
  Nanos timestamp_ns = 0;
  std::uint32_t meta_version = 0;
  const TensorLayout* layout = nullptr;
  // Equal ids mean equal layouts, for one writer: a slot that held this layout before is told the rest alone. 0: not
  // known.
  std::uint32_t layout_id = 0;
};

class SlotWriter {
 public:
  // REQUIRES: regions.access() == read_write; regions outlives the writer.
  explicit SlotWriter(RegionSet& regions)
      : slots_(regions.header_words(0)),
        slot_mask_(regions.nslots() - 1),
        pools_(regions.pools()),
        layouts_in_slots_(std::make_unique<std::uint32_t[]>(regions.nslots())) {
    assert(regions.access() == Access::read_write);
  }

  // Index of the smallest pool whose slots take `bytes`, or -1.
  [[nodiscard]] int pool_for(std::uint64_t bytes) const noexcept;

  // Marks the slot of `seq` in progress, so that no reader accepts what it held, and returns its payload slot: the
  // whole stride, 64-byte aligned.
  std::span<std::byte> begin(std::uint64_t seq, int pool, FilledBy by = FilledBy::others) noexcept;

  // Copies `payload` to the start of a slot that begin() returned for `pool`.
  // REQUIRES: payload.size() <= slot.size().
  void copy_in(int pool, std::span<std::byte> slot, std::span<const std::byte> payload) noexcept;

  // Writes the header under the in-progress word, so that a reader of a partly filled frame can place what it is told
  // of. REQUIRES: begin(seq) and no commit since; *meta.layout fits meta.values_len_bytes.
  void write_header(std::uint64_t seq, int pool, const SlotMeta& meta) noexcept;

  // What was written to payloads so far, by whomever, is there for a reader that is told of it from here on.
  static void expose() noexcept;

  // Writes the header and publishes the frame. REQUIRES: as write_header, and values_len_bytes <= the pool's stride.
  void commit(std::uint64_t seq, int pool, const SlotMeta& meta, FilledBy by = FilledBy::others) noexcept;

  // Leaves the slot in progress for good: `seq` is a gap, and the slot is taken again by seq + nslots.
  void abandon(std::uint64_t seq) noexcept;

  // Wakes the readers that sleep on the slot of `seq` (SlotReader::park): one system call.
  void wake(std::uint64_t seq) const noexcept;

 private:
  void put_header(std::uint64_t* slot, std::uint32_t index, int pool, const SlotMeta& meta) noexcept;
  static void put_layout(std::uint64_t* slot, const TensorLayout& layout) noexcept;
  [[nodiscard]] std::uint32_t index_of(std::uint64_t seq) const noexcept {
    return static_cast<std::uint32_t>(seq) & slot_mask_;
  }
  [[nodiscard]] std::uint64_t* words(std::uint64_t seq) const noexcept {
    return slots_ + std::size_t{index_of(seq)} * protocol::header_slot_words;
  }
  [[nodiscard]] const MappedPool& pool_at(int pool) const noexcept { return pools_[static_cast<std::size_t>(pool)]; }

  // The regions', at hand: these are read several times for each frame.
  std::uint64_t* slots_;
  std::uint32_t slot_mask_;
  std::span<const MappedPool> pools_;
  std::unique_ptr<std::uint32_t[]> layouts_in_slots_;  // their ids
};

// --- Each frame passes here, so these are for the compiler to see ---

inline int SlotWriter::pool_for(std::uint64_t bytes) const noexcept {
  if (bytes <= pools_.front().stride_bytes) [[likely]]
    return 0;  // there is at least one
  for (std::size_t i = 1; i < pools_.size(); ++i) {
    if (bytes <= pools_[i].stride_bytes) return static_cast<int>(i);
  }
  return -1;
}

[[gnu::always_inline]] inline std::span<std::byte> SlotWriter::begin(std::uint64_t seq, int pool,
                                                                     FilledBy by) noexcept {
  Seqlock::begin(*words(seq), seq);
  if (by == FilledBy::others) order_foreign_stores();
  const MappedPool& from = pool_at(pool);
  return {from.slots + std::size_t{index_of(seq)} * from.stride_bytes, from.stride_bytes};
}

[[gnu::always_inline]] inline void SlotWriter::put_header(std::uint64_t* slot, std::uint32_t index, int pool,
                                                          const SlotMeta& meta) noexcept {
  // All but the commit word: it says "in progress" already, and only commit() may say otherwise.
  Seqlock::store_words(slot + 1, protocol::pack({.values_len_bytes = meta.values_len_bytes,
                                                 .payload_slot = index,
                                                 .pool_id = pool_at(pool).pool_id,
                                                 .payload_offset = 0,
                                                 .timestamp_ns = static_cast<std::uint64_t>(meta.timestamp_ns),
                                                 .meta_version = meta.meta_version}));
  // Frames are mostly alike, and what is not written need not travel to the readers' caches.
  if (meta.layout_id == 0 || meta.layout_id != layouts_in_slots_[index]) [[unlikely]] {
    layouts_in_slots_[index] = meta.layout_id;
    put_layout(slot, *meta.layout);
  }
}

inline void SlotWriter::write_header(std::uint64_t seq, int pool, const SlotMeta& meta) noexcept {
  put_header(words(seq), index_of(seq), pool, meta);
}

[[gnu::always_inline]] inline void SlotWriter::commit(std::uint64_t seq, int pool, const SlotMeta& meta,
                                                      FilledBy by) noexcept {
  assert(meta.values_len_bytes <= pool_at(pool).stride_bytes);
  std::uint64_t* const slot = words(seq);
  put_header(slot, index_of(seq), pool, meta);
  if (by == FilledBy::others) expose();
  Seqlock::commit(*slot, seq);
}

}  // namespace tensorpool::shm
