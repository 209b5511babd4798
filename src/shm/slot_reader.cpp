#include "shm/slot_reader.hpp"

#include <algorithm>
#include <cstring>

#include "shm/seqlock.hpp"

namespace tensorpool::shm {
namespace {

// A commit word has room for 63 bits of sequence; a larger one is a lie of its descriptor.
constexpr bool is_representable(std::uint64_t seq) noexcept { return seq >> 63 == 0; }

SlotFault fault_of_word(std::uint64_t word, std::uint64_t seq) noexcept {
  const std::uint64_t holds = protocol::seq_of(word);
  if (holds == seq) return SlotFault::in_progress;
  return holds < seq ? SlotFault::older : SlotFault::newer;
}

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

SlotFault SlotReader::open(std::uint64_t seq, SlotView& out) noexcept {
  if (!is_representable(seq)) return SlotFault::older;
  const std::uint64_t* words = regions_->header_words(seq);
  const std::uint64_t expected = protocol::committed_word(seq);
  if (const std::uint64_t word = Seqlock::observe(*words); word != expected) return fault_of_word(word, seq);

  return read(seq, out, [&] { return Seqlock::unchanged(*words, expected); });
}

SlotFault SlotReader::open_in_flight(std::uint64_t seq, SlotView& out) noexcept {
  if (!is_representable(seq)) return SlotFault::older;
  const std::uint64_t* words = regions_->header_words(seq);
  if (const std::uint64_t word = Seqlock::observe(*words); !Seqlock::holds(word, seq)) return fault_of_word(word, seq);
  return read(seq, out, [&] { return Seqlock::still_holds(*words, seq); });
}

// Copies the header once; from then on the live one is not looked at again, or a writer could change it between check
// and use. The copy is known to be whole before it is judged, so that a lapped reader does not blame the header.
template <class StillThere>
SlotFault SlotReader::read(std::uint64_t seq, SlotView& out, StillThere&& still_there) noexcept {
  const std::uint64_t* const words = regions_->header_words(seq);
  if (has_known_layout(words)) {
    protocol::FrameWords copy;
    Seqlock::load_words(copy, words + 1);
    if (!still_there()) return SlotFault::overwritten;
    const protocol::FrameFields fields = protocol::unpack(copy);
    if (const SlotFault fault = judge_frame(seq, fields, out); fault != SlotFault::none) return fault;
    if (fields.values_len_bytes < known_extent_bytes_) return SlotFault::bad_layout;
    out.layout = known_layout_;
    return SlotFault::none;
  }
  protocol::TensorSlotHeader256 copy;
  Seqlock::load_words(copy.bytes.data(), words, protocol::header_slot_words);
  if (!still_there() || copy.seq() != seq) return SlotFault::overwritten;
  return judge(seq, copy, out);
}

bool SlotReader::has_known_layout(const std::uint64_t* words) const noexcept {
  return known_layout_.ndims != 0 && Seqlock::equal_words(words + protocol::judged_words_at, known_words_);
}

SlotFault SlotReader::judge(std::uint64_t seq, const protocol::TensorSlotHeader256& copy, SlotView& out) noexcept {
  const auto header = copy.decode();
  if (!header) return fault_of_header(header.error());
  const protocol::FrameFields fields{header->values_len_bytes, header->payload_slot, header->pool_id,
                                     header->payload_offset,   header->timestamp_ns, header->meta_version};
  if (const SlotFault fault = judge_frame(seq, fields, out); fault != SlotFault::none) return fault;
  if (header->layout.check(header->values_len_bytes) != LayoutFault::none) return SlotFault::bad_layout;
  out.layout = known_layout_ = header->layout;
  known_extent_bytes_ = known_layout_.extent_bytes();
  std::memcpy(known_words_.data(), copy.bytes.data() + protocol::judged_words_at * sizeof(std::uint64_t),
              sizeof known_words_);
  return SlotFault::none;
}

SlotFault SlotReader::judge_frame(std::uint64_t seq, const protocol::FrameFields& fields,
                                  SlotView& out) const noexcept {
  if (fields.payload_offset != 0) return SlotFault::bad_offset;
  if (fields.payload_slot != protocol::header_index(seq, regions_->nslots())) return SlotFault::bad_payload_slot;
  const int index = regions_->pool_index(fields.pool_id);
  if (index < 0) return SlotFault::unknown_pool;
  const MappedPool& pool = regions_->pools()[static_cast<std::size_t>(index)];
  if (fields.values_len_bytes > pool.stride_bytes) return SlotFault::too_long;
  out.fields = fields;
  out.payload = regions_->payload_slot(seq, index).first(fields.values_len_bytes);
  out.commit_word = regions_->header_words(seq);
  out.copy_mode = pool.copy_mode;
  return SlotFault::none;
}

std::uint64_t SlotReader::commit_word_value(std::uint64_t seq) const noexcept {
  return Seqlock::observe(*regions_->header_words(seq));
}

Parked SlotReader::park(std::uint64_t seq, std::uint64_t seen, Nanos longest) const noexcept {
  return park_while(regions_->header_words(seq), seen, longest);
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

std::optional<CommittedRange> committed_range(const RegionSet& regions) noexcept {
  const std::uint64_t nslots = regions.nslots();
  std::optional<CommittedRange> range;
  // Two passes: what lies a whole ring behind the newest is a leftover of a slot that was abandoned since, or a lie.
  for (const bool find_newest : {true, false}) {
    for (std::uint64_t index = 0; index < nslots; ++index) {
      const std::uint64_t word = Seqlock::observe(*regions.header_words(index));
      const std::uint64_t seq = protocol::seq_of(word);
      if (!protocol::is_committed(word) || (seq & (nslots - 1)) != index) continue;
      if (find_newest) {
        if (!range || seq > range->newest) range = CommittedRange{seq, seq};
      } else if (range && seq < range->oldest && range->newest - seq < nslots) {
        range->oldest = seq;
      }
    }
  }
  return range;
}

}  // namespace tensorpool::shm
