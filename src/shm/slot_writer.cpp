#include "shm/slot_writer.hpp"

#include <cassert>

#include "protocol/shm_layout.hpp"
#include "shm/seqlock.hpp"

namespace tensorpool::shm {
namespace {

static_assert(protocol::seq_commit_offset == 0,
              "the commit word is the first of the slot; the others are written below it");

// Readers of other implementations may look at all eight entries. A fixed count and no branch, for vector instructions.
void zero_beyond_ndims(TensorLayout& layout) noexcept {
  for (std::size_t i = 0; i < max_dims; ++i) {
    layout.dims[i] = i < layout.ndims ? layout.dims[i] : 0;
    layout.strides[i] = i < layout.ndims ? layout.strides[i] : 0;
  }
}

}  // namespace

int SlotWriter::pool_for(std::uint64_t bytes) const noexcept {
  const auto pools = regions_->pools();
  for (std::size_t i = 0; i < pools.size(); ++i) {
    if (bytes <= pools[i].stride_bytes) return static_cast<int>(i);
  }
  return -1;
}

std::span<std::byte> SlotWriter::begin(std::uint64_t seq, int pool, FilledBy by) noexcept {
  assert(regions_->access() == Access::read_write);
  Seqlock::begin(*regions_->header_words(seq), seq);
  if (by == FilledBy::others) order_foreign_stores();
  return regions_->payload_slot(seq, pool);
}

void SlotWriter::copy_in(int pool, std::span<std::byte> slot, std::span<const std::byte> payload) noexcept {
  copy_into_slot(slot, payload, regions_->pools()[static_cast<std::size_t>(pool)].copy_mode);
}

void SlotWriter::write_header(std::uint64_t seq, int pool, const SlotMeta& meta) noexcept {
  const std::uint32_t index = protocol::header_index(seq, regions_->nslots());
  // All but the commit word: it says "in progress" already, and only commit() may say otherwise.
  Seqlock::store_words(regions_->header_words(seq) + 1,
                       protocol::pack({.values_len_bytes = meta.values_len_bytes,
                                       .payload_slot = index,
                                       .pool_id = regions_->pools()[static_cast<std::size_t>(pool)].pool_id,
                                       .payload_offset = 0,
                                       .timestamp_ns = static_cast<std::uint64_t>(meta.timestamp_ns),
                                       .meta_version = meta.meta_version}));
  // Frames are mostly alike, and what is not written need not travel to the readers' caches.
  if (meta.layout_id != 0 && meta.layout_id == layouts_in_slots_[index]) return;
  write_layout(seq, *meta.layout);
  layouts_in_slots_[index] = meta.layout_id;
}

void SlotWriter::write_layout(std::uint64_t seq, const TensorLayout& layout) noexcept {
  protocol::SlotHeader header;
  header.layout = layout;
  zero_beyond_ndims(header.layout);
  protocol::TensorSlotHeader256 encoded;
  protocol::encode_slot_header(header, encoded.bytes);
  Seqlock::store_words(regions_->header_words(seq) + protocol::layout_words_at,
                       encoded.bytes.data() + protocol::layout_words_at * sizeof(std::uint64_t),
                       protocol::layout_words);
}

void SlotWriter::expose() noexcept {
  compiler_barrier();
  order_foreign_stores();
}

void SlotWriter::commit(std::uint64_t seq, int pool, const SlotMeta& meta, FilledBy by) noexcept {
  assert(meta.values_len_bytes <= regions_->pools()[static_cast<std::size_t>(pool)].stride_bytes);
  write_header(seq, pool, meta);
  if (by == FilledBy::others) expose();
  Seqlock::commit(*regions_->header_words(seq), seq);
}

void SlotWriter::abandon(std::uint64_t seq) noexcept { Seqlock::begin(*regions_->header_words(seq), seq); }

}  // namespace tensorpool::shm
