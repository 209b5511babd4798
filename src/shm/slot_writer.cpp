#include "shm/slot_writer.hpp"

#include "protocol/shm_layout.hpp"
#include "shm/parking.hpp"
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

void SlotWriter::copy_in(int pool, std::span<std::byte> slot, std::span<const std::byte> payload) noexcept {
  copy_into_slot(slot, payload, pool_at(pool).copy_mode);
}

void SlotWriter::put_layout(std::uint64_t* slot, const TensorLayout& layout) noexcept {
  protocol::SlotHeader header;
  header.layout = layout;
  zero_beyond_ndims(header.layout);
  protocol::TensorSlotHeader256 encoded;
  protocol::encode_slot_header(header, encoded.bytes);
  Seqlock::store_words(slot + protocol::layout_words_at,
                       encoded.bytes.data() + protocol::layout_words_at * sizeof(std::uint64_t),
                       protocol::layout_words);
}

void SlotWriter::expose() noexcept {
  compiler_barrier();
  order_foreign_stores();
}

void SlotWriter::abandon(std::uint64_t seq) noexcept { Seqlock::begin(*words(seq), seq); }

void SlotWriter::wake(std::uint64_t seq) const noexcept { wake_parked(words(seq)); }

}  // namespace tensorpool::shm
