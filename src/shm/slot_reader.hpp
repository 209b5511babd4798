// The consumer's hand on the slots. Never waits (but for park), retries, allocates or calls the system. Nothing that a
// producer wrote enters an address: the payload is (this process's mapping of the copied pool id, seq & mask), and only
// the private copy of the header is believed, after it was checked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "protocol/shm_layout.hpp"
#include "shm/parking.hpp"
#include "shm/region_set.hpp"
#include "shm/seqlock.hpp"

namespace tensorpool::shm {

// Why a slot was not opened, in the order of the checks.
enum class SlotFault : std::uint8_t {
  none,
  in_progress,       // the word says that this very sequence is being written, or was abandoned
  older,             // the slot still holds an earlier sequence, committed or not
  newer,             // the slot holds, or is being given, a later sequence: this one is gone
  overwritten,       // the writer came while the header was copied
  bad_header,        // the embedded header is not exactly a version 1 TensorHeader
  bad_offset,        // payload offset is not 0
  bad_payload_slot,  // payload slot is not the header index
  unknown_pool,      // no such pool in this epoch
  too_long,          // values_len_bytes exceeds the pool's stride
  bad_layout,        // type, order, dims, strides or progress unit broken, or the shape does not fit the length
};
inline constexpr std::size_t slot_faults = 11;
[[nodiscard]] std::string_view to_string(SlotFault fault) noexcept;

// A slot that was committed, and well formed, when it was opened.
struct SlotView {
  protocol::FrameFields fields;                // private, checked copies of what its header says
  const TensorLayout* layout = nullptr;        // the reader's: as it is until the reader opens another slot
  std::span<const std::byte> payload;          // fields.values_len_bytes of live memory
  const std::uint64_t* commit_word = nullptr;  // for still_valid()
  CopyMode copy_mode = CopyMode::words;        // for copy_out()
};

class SlotReader {
 public:
  // REQUIRES: regions outlives the reader and every view of it.
  explicit SlotReader(const RegionSet& regions) noexcept
      : slots_(regions.header_words(0)), slot_mask_(regions.nslots() - 1), pools_(regions.pools()) {}

  // Opens the slot of frame `seq`. `out` is valid only if the answer is none.
  [[nodiscard]] SlotFault open(std::uint64_t seq, SlotView& out) noexcept;

  // Opens the slot of frame `seq`, whether it is committed or still in progress, for someone who was told how much of
  // it is final. Its header is one that SlotWriter::write_header wrote under the in-progress word; a writer that writes
  // none leaves that of an earlier frame there, which cannot be told apart.
  [[nodiscard]] SlotFault open_in_flight(std::uint64_t seq, SlotView& out) noexcept;

  // The commit word of the slot in which `seq` lies, as it is now (protocol/shm_layout.hpp has the helpers that read
  // it).
  [[nodiscard]] std::uint64_t commit_word_value(std::uint64_t seq) const noexcept;

  // Sleeps while that word is `seen`, until SlotWriter::wake, at most for `longest`.
  Parked park(std::uint64_t seq, std::uint64_t seen, Nanos longest) const noexcept;

 private:
  [[nodiscard]] const std::uint64_t* words(std::uint64_t seq) const noexcept {
    return slots_ + (seq & slot_mask_) * protocol::header_slot_words;
  }
  template <class StillThere>
  [[nodiscard]] SlotFault read(std::uint64_t seq, const std::uint64_t* slot, SlotView& out,
                               StillThere&& still_there) noexcept;
  template <class StillThere>
  [[nodiscard]] SlotFault read_whole(std::uint64_t seq, const std::uint64_t* slot, SlotView& out,
                                     StillThere&& still_there) noexcept;
  [[nodiscard]] SlotFault judge(std::uint64_t seq, const std::uint64_t* slot, const protocol::TensorSlotHeader256& copy,
                                SlotView& out) noexcept;
  [[nodiscard]] SlotFault judge_frame(std::uint64_t seq, const std::uint64_t* slot, const protocol::FrameFields& fields,
                                      SlotView& out) const noexcept;

  // The regions', at hand: these are read several times for each frame.
  const std::uint64_t* slots_;
  std::uint64_t slot_mask_;
  std::span<const MappedPool> pools_;
  // Frames are mostly alike: the layout of the one that was accepted last, as it lay in its slot.
  std::array<std::uint64_t, protocol::judged_words> known_words_{};
  TensorLayout known_layout_;  // without dimensions: there is none yet
  std::uint64_t known_extent_bytes_ = 0;
};

// The same for a frame in flight: the slot was never given to another sequence.
[[nodiscard]] bool still_in_flight(const std::uint64_t* commit_word, std::uint64_t seq) noexcept;

// After the last use of the payload: was it the frame `seq` all the time? False = discard everything taken from it.
[[nodiscard]] bool still_valid(const std::uint64_t* commit_word, std::uint64_t seq) noexcept;

// Copies a payload, or the start of one, out of its slot; false, and nothing copied, if `to` is smaller.
// What was copied counts only after still_valid().
[[nodiscard]] bool copy_out(std::span<std::byte> to, std::span<const std::byte> payload,
                            CopyMode mode = CopyMode::words) noexcept;

// The committed sequences in a ring.
struct CommittedRange {
  std::uint64_t oldest = 0;
  std::uint64_t newest = 0;
  bool operator==(const CommittedRange&) const = default;
};
// One look at every slot; empty if nothing is committed. With a living producer the range is already history.
[[nodiscard]] std::optional<CommittedRange> committed_range(const RegionSet& regions) noexcept;
// The end of that range alone, for half the work.
[[nodiscard]] std::optional<std::uint64_t> newest_committed(const RegionSet& regions) noexcept;

// --- Each frame passes here, so these are for the compiler to see ---

inline std::uint64_t SlotReader::commit_word_value(std::uint64_t seq) const noexcept {
  return Seqlock::observe(*words(seq));
}

inline SlotFault SlotReader::judge_frame(std::uint64_t seq, const std::uint64_t* slot,
                                         const protocol::FrameFields& fields, SlotView& out) const noexcept {
  if (fields.payload_offset != 0) return SlotFault::bad_offset;
  if (fields.payload_slot != (seq & slot_mask_)) return SlotFault::bad_payload_slot;
  for (const MappedPool& pool : pools_) {
    if (pool.pool_id != fields.pool_id) continue;
    if (fields.values_len_bytes > pool.stride_bytes) return SlotFault::too_long;
    out.fields = fields;
    out.payload = {pool.slots + (seq & slot_mask_) * pool.stride_bytes, fields.values_len_bytes};
    out.commit_word = slot;
    out.copy_mode = pool.copy_mode;
    return SlotFault::none;
  }
  return SlotFault::unknown_pool;
}

// Copies the header once; from then on the live one is not looked at again, or a writer could change it between check
// and use. The copy is known to be whole before it is judged, so that a lapped reader does not blame the header.
template <class StillThere>
[[gnu::always_inline]] inline SlotFault SlotReader::read(std::uint64_t seq, const std::uint64_t* slot, SlotView& out,
                                                         StillThere&& still_there) noexcept {
  if (known_layout_.ndims == 0 || !Seqlock::equal_words(slot + protocol::judged_words_at, known_words_)) [[unlikely]] {
    return read_whole(seq, slot, out, still_there);
  }
  protocol::FrameWords copy;
  Seqlock::load_words(copy, slot + 1);
  if (!still_there()) [[unlikely]]
    return SlotFault::overwritten;
  const protocol::FrameFields fields = protocol::unpack(copy);
  if (fields.values_len_bytes < known_extent_bytes_) [[unlikely]]
    return read_whole(seq, slot, out, still_there);
  out.layout = &known_layout_;
  return judge_frame(seq, slot, fields, out);
}

template <class StillThere>
[[gnu::noinline]] SlotFault SlotReader::read_whole(std::uint64_t seq, const std::uint64_t* slot, SlotView& out,
                                                   StillThere&& still_there) noexcept {
  protocol::TensorSlotHeader256 copy;
  Seqlock::load_words(copy.bytes.data(), slot, protocol::header_slot_words);
  if (!still_there() || copy.seq() != seq) return SlotFault::overwritten;
  return judge(seq, slot, copy, out);
}

// Why a slot whose word is `word` is not that of the committed, or of the held, frame `seq`.
[[nodiscard]] SlotFault fault_of_word(std::uint64_t word, std::uint64_t seq) noexcept;

[[gnu::always_inline]] inline SlotFault SlotReader::open(std::uint64_t seq, SlotView& out) noexcept {
  const std::uint64_t* const slot = words(seq);
  const std::uint64_t expected = protocol::committed_word(seq);
  // A commit word has room for 63 bits of sequence; a larger one is a lie of its descriptor.
  if (const std::uint64_t word = Seqlock::observe(*slot); word != expected || seq >> 63 != 0) [[unlikely]] {
    return fault_of_word(word, seq);
  }
  return read(seq, slot, out, [=] { return Seqlock::unchanged(*slot, expected); });
}

}  // namespace tensorpool::shm
