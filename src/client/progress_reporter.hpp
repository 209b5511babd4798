// Tells consumers how far the frames of a producer's open claims are filled (FrameProgress, wire 1.2). The producer's
// thread sends, on a publication of its own that the conductor hands over once a consumer asked; it never waits.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/handoff.hpp"
#include "client/counter_cell.hpp"
#include "client/progress_wishes.hpp"
#include "protocol/messages.hpp"
#include "tensorpool/producer.hpp"
#include "transport/publication.hpp"

namespace tensorpool::detail {

struct FrameKey {
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
};

// What is known, and what was told, of a frame that is being filled.
struct FrameInFlight {
  TensorLayout layout;
  std::uint64_t length_bytes = 0;
  std::uint64_t filled_bytes = 0;
  std::uint64_t told_bytes = 0;
  Nanos told_at = 0;
  bool told = false;  // somebody heard that it was started
};

struct ProgressLink {
  explicit ProgressLink(transport::Publication added) : publication(std::move(added)) {}
  transport::Publication publication;
  ProgressLink* next_retired = nullptr;
};

// The control streams that single consumers have of their own. They are told what the shared one is told, after it.
struct ProgressListeners {
  std::vector<std::shared_ptr<transport::Publication>> publications;
  ProgressListeners* next_retired = nullptr;
};

class ProgressReporter {
 public:
  ProgressReporter() = default;
  ~ProgressReporter() {
    delete link_;
    delete own_;
  }
  ProgressReporter(const ProgressReporter&) = delete;
  ProgressReporter& operator=(const ProgressReporter&) = delete;

  // --- The conductor's thread ---
  Handoff<ProgressLink> links;
  Handoff<ProgressListeners> listeners;
  // Empty: nobody wants to hear anything.
  void set_limits(const std::optional<ProgressLimits>& limits) noexcept;

  // --- The producer's thread ---
  void started(const FrameKey& key, FrameInFlight& frame, const TensorLayout& layout, std::size_t bytes) noexcept;
  ProgressStatus filled(const FrameKey& key, FrameInFlight& frame, std::size_t bytes) noexcept;
  // Only those who heard of its start hear of its end.
  void completed(const FrameKey& key, FrameInFlight& frame, std::size_t bytes) noexcept;
  ProgressStatus refuse() noexcept;
  void close() noexcept;

  // --- Any thread ---
  void add_to(ProducerStats& stats) const noexcept;

 private:
  [[nodiscard]] bool is_asked_for() const noexcept { return asked_.load(std::memory_order_acquire); }
  [[nodiscard]] bool is_due(const FrameInFlight& frame, std::size_t bytes, Nanos now) const noexcept;
  ProgressStatus tell(const FrameKey& key, FrameInFlight& frame, protocol::FrameProgressState state) noexcept;
  void pick_up() noexcept;
  void tell_own(const protocol::FrameProgress& message) noexcept;

  // Written by the conductor.
  std::atomic<bool> asked_{false};
  std::atomic<Nanos> interval_ns_{0};
  std::atomic<std::uint64_t> bytes_delta_{0};
  std::atomic<std::uint32_t> rows_delta_{0};

  // The producer's thread only; counters may be read anywhere.
  ProgressLink* link_ = nullptr;
  ProgressListeners* own_ = nullptr;
  CounterCell sent_, dropped_, refused_;
};

}  // namespace tensorpool::detail
