#include "client/progress_reporter.hpp"

#include <utility>

#include "protocol/codec.hpp"

namespace tensorpool::detail {
namespace {

using State = protocol::FrameProgressState;

}  // namespace

void ProgressReporter::set_limits(const std::optional<ProgressLimits>& limits) noexcept {
  if (limits) {
    interval_ns_.store(limits->interval_ns, std::memory_order_relaxed);
    bytes_delta_.store(limits->bytes_delta, std::memory_order_relaxed);
    rows_delta_.store(limits->rows_delta, std::memory_order_relaxed);
  }
  asked_.store(limits.has_value(), std::memory_order_release);
}

void ProgressReporter::started(const FrameKey& key, FrameInFlight& frame, const TensorLayout& layout,
                               std::size_t bytes) noexcept {
  frame = {layout, bytes, 0, 0, 0, false};
  if (is_asked_for()) static_cast<void>(tell(key, frame, State::started));
}

ProgressStatus ProgressReporter::filled(const FrameKey& key, FrameInFlight& frame, std::size_t bytes) noexcept {
  if (bytes > frame.length_bytes || bytes < frame.filled_bytes) return refuse();
  frame.filled_bytes = bytes;
  if (!is_asked_for()) return ProgressStatus::no_consumer;
  if (!frame.told) {  // asked for since the claim
    const std::uint64_t filled = std::exchange(frame.filled_bytes, 0);
    const ProgressStatus status = tell(key, frame, State::started);
    frame.filled_bytes = filled;
    if (status != ProgressStatus::sent) return status;
  }
  if (!is_due(frame, bytes, monotonic_now())) return ProgressStatus::held_back;
  return tell(key, frame, State::progress);
}

void ProgressReporter::completed(const FrameKey& key, FrameInFlight& frame, std::size_t bytes) noexcept {
  if (!frame.told) return;
  frame.filled_bytes = bytes;
  static_cast<void>(tell(key, frame, State::complete));
}

ProgressStatus ProgressReporter::refuse() noexcept {
  refused_.add();
  return ProgressStatus::refused;
}

void ProgressReporter::close() noexcept {
  if (ProgressLink* const untaken = links.take()) links.retire(untaken);
  if (link_ != nullptr) links.retire(std::exchange(link_, nullptr));
  if (ProgressListeners* const untaken = listeners.take()) listeners.retire(untaken);
  if (own_ != nullptr) listeners.retire(std::exchange(own_, nullptr));
}

void ProgressReporter::add_to(ProducerStats& stats) const noexcept {
  stats.progress_sent = sent_.get();
  stats.progress_dropped = dropped_.get();
  stats.progress_refused = refused_.get();
}

bool ProgressReporter::is_due(const FrameInFlight& frame, std::size_t bytes, Nanos now) const noexcept {
  const std::uint64_t more = bytes - frame.told_bytes;
  if (more == 0 || more < bytes_delta_.load(std::memory_order_relaxed)) return false;
  const std::uint64_t rows_delta = rows_delta_.load(std::memory_order_relaxed);
  if (more < rows_delta * frame.layout.progress_stride_bytes) return false;
  return now - frame.told_at >= interval_ns_.load(std::memory_order_relaxed);
}

void ProgressReporter::pick_up() noexcept {
  if (ProgressLink* const newer = links.take()) {
    if (link_ != nullptr) links.retire(link_);
    link_ = newer;
  }
  if (ProgressListeners* const newer = listeners.take()) {
    if (own_ != nullptr) listeners.retire(own_);
    own_ = newer;
  }
}

// Who does not read his own stream misses what it has no room for, and he alone.
void ProgressReporter::tell_own(const protocol::FrameProgress& message) noexcept {
  if (own_ == nullptr) return;
  const auto fill = [&](std::span<std::byte> out) { static_cast<void>(protocol::encode(message, out)); };
  for (const auto& publication : own_->publications) {
    const transport::OfferResult result = publication->try_claim(protocol::fixed_length<protocol::FrameProgress>, fill);
    if (result != transport::OfferResult::ok && result != transport::OfferResult::not_connected) dropped_.add();
  }
}

ProgressStatus ProgressReporter::tell(const FrameKey& key, FrameInFlight& frame, State state) noexcept {
  pick_up();
  if (link_ == nullptr) return ProgressStatus::no_consumer;
  const protocol::FrameProgress message{key.stream_id, key.epoch, key.seq, frame.filled_bytes, state};
  const auto fill = [&](std::span<std::byte> out) { static_cast<void>(protocol::encode(message, out)); };
  const transport::OfferResult result =
      link_->publication.try_claim(protocol::fixed_length<protocol::FrameProgress>, fill);
  tell_own(message);
  if (result == transport::OfferResult::not_connected) return ProgressStatus::no_consumer;
  if (result != transport::OfferResult::ok) {
    dropped_.add();
    return ProgressStatus::dropped;
  }
  sent_.add();
  frame.told = true;
  frame.told_bytes = frame.filled_bytes;
  frame.told_at = monotonic_now();
  return ProgressStatus::sent;
}

}  // namespace tensorpool::detail
