// Where a consumer hears of frames in flight: a subscription of the application's thread to the control stream, or to
// one of its own, made by the conductor for a consumer that asked. Whoever may write there may write anything, so a
// message is believed only as far as the slot bears it out. Progress is no part of a consumer's books: every frame
// comes by its descriptor as well.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/handoff.hpp"
#include "client/counter_cell.hpp"
#include "protocol/messages.hpp"
#include "shm/slot_reader.hpp"
#include "tensorpool/consumer.hpp"
#include "transport/subscription.hpp"

namespace tensorpool::detail {

struct ProgressSource {
  explicit ProgressSource(std::shared_ptr<transport::Subscription> added) : subscription(std::move(added)) {}
  std::shared_ptr<transport::Subscription> subscription;
  ProgressSource* next_retired = nullptr;
};

class ProgressInbox {
 public:
  ProgressInbox() = default;
  ~ProgressInbox() { delete source_; }
  ProgressInbox(const ProgressInbox&) = delete;
  ProgressInbox& operator=(const ProgressInbox&) = delete;

  // --- The conductor's thread ---
  Handoff<ProgressSource> sources;

  // --- The application's thread ---
  // At most `limit` messages of the control stream; calls on_progress(const FrameProgress&) for those of the stream.
  template <class F>
  void poll(std::uint32_t stream_id, int limit, F&& on_progress) noexcept {
    if (!pick_up()) return;
    source_->subscription->poll(
        [&](std::span<const std::byte> bytes) {
          const auto message = read(bytes);
          if (message && message->stream_id == stream_id) on_progress(*message);
        },
        limit);
  }
  // Whether the message is true of the slot, and news; `out` is valid only then. Else it is counted.
  [[nodiscard]] bool accept(const protocol::FrameProgress& message, shm::SlotReader& reader,
                            shm::SlotView& out) noexcept;
  void wrong_epoch() noexcept { wrong_epoch_.add(); }
  void delivered() noexcept { delivered_.add(); }
  void close() noexcept;

  // --- Any thread ---
  [[nodiscard]] ProgressStats stats() const noexcept;

 private:
  // The last that was believed of a frame. Frames that meet in one place forget each other: then the slot alone judges.
  struct Seen {
    std::uint64_t epoch = 0;
    std::uint64_t seq = 0;
    std::uint64_t bytes = 0;
    protocol::FrameProgressState state = protocol::FrameProgressState::unknown;
  };
  bool pick_up() noexcept;
  std::optional<protocol::FrameProgress> read(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] bool is_news(const protocol::FrameProgress& message) noexcept;

  ProgressSource* source_ = nullptr;
  std::array<Seen, 64> seen_{};
  CounterCell delivered_, wrong_epoch_, not_there_, beyond_length_, not_newer_, malformed_;
};

}  // namespace tensorpool::detail
