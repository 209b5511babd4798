#include "writer.hpp"

#include <fcntl.h>

#include <algorithm>

namespace tensorpool::soak {

Writer::Writer(Producer producer, const std::string& notes_path)
    : producer_(std::move(producer)), notes_(::open(notes_path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) {
  if (!notes_) say_fault("the notes cannot be opened", {{"path", notes_path}});
}

void Writer::step(std::size_t bytes) {
  ++steps_;
  auto first = claim(bytes);
  if (!first) return;
  if (steps_ % 64 == 0) {
    EpochNote& mine = note_of(first->epoch());
    { const auto given_up = std::move(first); }
    ++mine.abandoned;
    return settle();
  }
  if (steps_ % 32 == 7) {
    if (auto second = claim(bytes)) finish(std::move(*second), bytes);
  }
  finish(std::move(*first), bytes);
  settle();
}

void Writer::last_frame(std::size_t bytes) {
  auto last = claim(bytes);
  if (last) finish(std::move(*last), bytes);
  settle();
}

void Writer::finish(SlotClaim claim, std::size_t bytes) {
  const FrameName name = name_of(claim);
  fill(claim.payload().first(bytes), key_of(name));
  if (spoils_ && name.seq > 100) claim.payload()[bytes / 2] ^= std::byte{1};
  commit(std::move(claim), bytes, trace_of(name));
}

void Writer::publish_derived(const Origin& origin) {
  auto slot = claim(derived_bytes);
  if (!slot) return;
  const FrameName name = name_of(*slot);
  fill_derived(slot->payload().first(derived_bytes), name, origin);
  commit(std::move(*slot), derived_bytes, trace_of(origin.name));
  settle();
}

std::optional<SlotClaim> Writer::claim(std::size_t bytes) {
  const ProducerStats before = producer_.stats();
  if (before.epoch != 0) {
    EpochNote& coming = note_of(before.epoch);
    coming.may_end = std::max(coming.may_end, before.next_seq + 1);
    write_down();
  }
  auto claimed = producer_.claim(bytes);
  if (!claimed) return std::nullopt;
  EpochNote& mine = note_of(claimed->epoch());
  mine.may_end = std::max(mine.may_end, claimed->seq() + 1);
  return std::move(*claimed);
}

void Writer::commit(SlotClaim claim, std::size_t bytes, std::uint64_t trace) {
  EpochNote& mine = note_of(claim.epoch());
  const PublishStatus status =
      std::move(claim).commit(TensorLayout::raw_bytes(static_cast<std::int32_t>(bytes)), {.trace_id = trace});
  ++(is_committed(status) ? mine.committed : mine.abandoned);
  if (!is_committed(status) && status != PublishStatus::stale_claim && status != PublishStatus::not_attached) {
    say_fault("a frame was not committed", {{"status", std::string(to_string(status))}});
  }
}

// No claim is open.
void Writer::settle() {
  note_.surely = note_.may_end + overstated_;
  write_down();
}

EpochNote& Writer::note_of(std::uint64_t epoch) {
  if (epoch != note_.epoch) {
    if (count_ != 0) {
      if (epoch < note_.epoch) say_fault("a producer's epoch goes back", {{"epoch", std::to_string(epoch)}});
      write_down();
    }
    note_ = {.stream = producer_.stream_id(), .epoch = epoch};
    ++count_;
  }
  return note_;
}

void Writer::write_down() {
  if (count_ == 0) return;
  const auto at = static_cast<off_t>((count_ - 1) * sizeof note_);
  if (::pwrite(notes_.get(), &note_, sizeof note_, at) != sizeof note_) say_fault("the notes cannot be written");
}

Json Writer::figures() const {
  return {{"stream", producer_.stream_id()},
          {"attached", producer_.attached()},
          {"stats", apps::to_json(producer_.stats())}};
}

}  // namespace tensorpool::soak
