#include "client/progress_inbox.hpp"

#include <utility>

#include "protocol/dispatch.hpp"

namespace tensorpool::detail {

using State = protocol::FrameProgressState;

bool ProgressInbox::pick_up() noexcept {
  if (ProgressSource* const newer = sources.take()) {
    if (source_ != nullptr) sources.retire(source_);
    source_ = newer;
  }
  return source_ != nullptr;
}

void ProgressInbox::close() noexcept {
  if (ProgressSource* const untaken = sources.take()) sources.retire(untaken);
  if (source_ != nullptr) sources.retire(std::exchange(source_, nullptr));
}

std::optional<protocol::FrameProgress> ProgressInbox::read(std::span<const std::byte> bytes) noexcept {
  struct Taker {
    std::optional<protocol::FrameProgress> message;
    void on(const protocol::FrameProgress& m) { message = m; }
  } taker;
  const auto outcome = protocol::dispatch<protocol::FrameProgress>(bytes, taker);
  // Everything else on this stream is the conductor's to judge.
  const bool unusable = taker.message && taker.message->state == State::unknown;
  if (unusable || (outcome.malformed() && outcome.header.template_id == protocol::FrameProgress::template_id)) {
    malformed_.add();
    return std::nullopt;
  }
  return taker.message;
}

bool ProgressInbox::accept(const protocol::FrameProgress& message, shm::SlotReader& reader,
                           shm::SlotView& out) noexcept {
  // A frame that is said to be complete must be committed, as its descriptor's must.
  const shm::SlotFault fault =
      message.state == State::complete ? reader.open(message.seq, out) : reader.open_in_flight(message.seq, out);
  if (fault != shm::SlotFault::none) {
    not_there_.add();
    return false;
  }
  if (message.payload_bytes_filled > out.payload.size()) {
    beyond_length_.add();
    return false;
  }
  if (!is_news(message)) {
    not_newer_.add();
    return false;
  }
  return true;
}

bool ProgressInbox::is_news(const protocol::FrameProgress& message) noexcept {
  Seen& seen = seen_[message.seq % seen_.size()];
  const bool same_frame = seen.epoch == message.epoch && seen.seq == message.seq && seen.state != State::unknown;
  const bool further = message.payload_bytes_filled > seen.bytes ||
                       (message.payload_bytes_filled == seen.bytes && message.state > seen.state);
  if (same_frame && !further) return false;
  seen = {message.epoch, message.seq, message.payload_bytes_filled, message.state};
  return true;
}

ProgressStats ProgressInbox::stats() const noexcept {
  return {delivered_.get(),     wrong_epoch_.get(), not_there_.get(),
          beyond_length_.get(), not_newer_.get(),   malformed_.get()};
}

}  // namespace tensorpool::detail
