#include "shm/slot_reader.hpp"

#include <algorithm>
#include <cstring>

#include "shm/seqlock.hpp"

namespace tensorpool::shm {
namespace {

SlotFault fault_of_header(protocol::SlotHeaderFault fault) noexcept {
  return fault == protocol::SlotHeaderFault::bad_payload_offset ? SlotFault::bad_offset : SlotFault::bad_header;
}

}  // namespace

std::string_view to_string(SlotFault fault) noexcept {
  switch (fault) {
    case SlotFault::none:
      return "none";
    case SlotFault::in_progress:
      return "in_progress";
    case SlotFault::older:
      return "older";
    case SlotFault::newer:
      return "newer";
    case SlotFault::overwritten:
      return "overwritten";
    case SlotFault::bad_header:
      return "bad_header";
    case SlotFault::bad_offset:
      return "bad_offset";
    case SlotFault::bad_payload_slot:
      return "bad_payload_slot";
    case SlotFault::unknown_pool:
      return "unknown_pool";
    case SlotFault::too_long:
      return "too_long";
    case SlotFault::bad_layout:
      return "bad_layout";
  }
  return "?";
}

SlotFault fault_of_word(std::uint64_t word, std::uint64_t seq) noexcept {
  const std::uint64_t holds = protocol::seq_of(word);
  if (holds == seq) return SlotFault::in_progress;
  return holds < seq ? SlotFault::older : SlotFault::newer;
}

SlotFault SlotReader::open_in_flight(std::uint64_t seq, SlotView& out) noexcept {
  const std::uint64_t* const slot = words(seq);
  if (const std::uint64_t word = Seqlock::observe(*slot); !Seqlock::holds(word, seq)) return fault_of_word(word, seq);
  return read(seq, slot, out, [=] { return Seqlock::still_holds(*slot, seq); });
}

SlotFault SlotReader::judge(std::uint64_t seq, const std::uint64_t* slot, const protocol::TensorSlotHeader256& copy,
                            SlotView& out) noexcept {
  const auto header = copy.decode();
  if (!header) return fault_of_header(header.error());
  const protocol::FrameFields fields{header->values_len_bytes, header->payload_slot, header->pool_id,
                                     header->payload_offset,   header->timestamp_ns, header->meta_version};
  if (const SlotFault fault = judge_frame(seq, slot, fields, out); fault != SlotFault::none) return fault;
  if (header->layout.check(header->values_len_bytes) != LayoutFault::none) return SlotFault::bad_layout;
  known_layout_ = header->layout;
  out.layout = &known_layout_;
  known_extent_bytes_ = known_layout_.extent_bytes();
  std::memcpy(known_words_.data(), copy.bytes.data() + protocol::judged_words_at * sizeof(std::uint64_t),
              sizeof known_words_);
  return SlotFault::none;
}

Parked SlotReader::park(std::uint64_t seq, std::uint64_t seen, Nanos longest) const noexcept {
  return park_while(words(seq), seen, longest);
}

bool still_valid(const std::uint64_t* commit_word, std::uint64_t seq) noexcept {
  compiler_barrier();  // the payload may have been read by plain loads
  return Seqlock::unchanged(*commit_word, protocol::committed_word(seq));
}

bool still_in_flight(const std::uint64_t* commit_word, std::uint64_t seq) noexcept {
  compiler_barrier();
  return Seqlock::still_holds(*commit_word, seq);
}

bool copy_out(std::span<std::byte> to, std::span<const std::byte> payload, CopyMode mode) noexcept {
  if (to.size() < payload.size()) return false;
  copy_from_slot(to, payload, mode);
  return true;
}

namespace {

// Calls f(seq) for each slot that holds a committed sequence of its own.
template <class F>
void each_committed(const RegionSet& regions, F&& f) noexcept {
  const std::uint64_t nslots = regions.nslots();
  for (std::uint64_t index = 0; index < nslots; ++index) {
    const std::uint64_t word = Seqlock::observe(*regions.header_words(index));
    const std::uint64_t seq = protocol::seq_of(word);
    if (protocol::is_committed(word) && (seq & (nslots - 1)) == index) f(seq);
  }
}

}  // namespace

std::optional<std::uint64_t> newest_committed(const RegionSet& regions) noexcept {
  std::optional<std::uint64_t> newest;
  each_committed(regions, [&](std::uint64_t seq) { newest = std::max(newest.value_or(seq), seq); });
  return newest;
}

std::optional<CommittedRange> committed_range(const RegionSet& regions) noexcept {
  const auto newest = newest_committed(regions);
  if (!newest) return std::nullopt;
  CommittedRange range{*newest, *newest};
  // What lies a whole ring behind the newest is a leftover of a slot that was abandoned since, or a lie.
  each_committed(regions, [&](std::uint64_t seq) {
    if (seq < range.oldest && *newest - seq < regions.nslots()) range.oldest = seq;
  });
  return range;
}

}  // namespace tensorpool::shm
