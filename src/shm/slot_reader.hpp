// The consumer's hand on the slots. Never waits (but for park), retries, allocates or calls the system. Nothing that a
// producer wrote enters an address: the payload is (this process's mapping of the copied pool id, seq & mask), and only
// the private copy of the header is believed, after it was checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "protocol/shm_layout.hpp"
#include "shm/parking.hpp"
#include "shm/region_set.hpp"

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
  protocol::FrameFields fields;  // private, checked copies of what its header says
  TensorLayout layout;
  std::span<const std::byte> payload;          // fields.values_len_bytes of live memory
  const std::uint64_t* commit_word = nullptr;  // for still_valid()
  CopyMode copy_mode = CopyMode::words;        // for copy_out()
};

class SlotReader {
 public:
  // REQUIRES: regions outlives the reader and every view of it.
  explicit SlotReader(const RegionSet& regions) noexcept : regions_(&regions) {}

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
  template <class StillThere>
  [[nodiscard]] SlotFault read(std::uint64_t seq, SlotView& out, StillThere&& still_there) noexcept;
  [[nodiscard]] bool has_known_layout(const std::uint64_t* words) const noexcept;
  [[nodiscard]] SlotFault judge(std::uint64_t seq, const protocol::TensorSlotHeader256& copy, SlotView& out) noexcept;
  [[nodiscard]] SlotFault judge_frame(std::uint64_t seq, const protocol::FrameFields& fields,
                                      SlotView& out) const noexcept;

  const RegionSet* regions_;
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

}  // namespace tensorpool::shm
