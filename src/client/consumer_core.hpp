// What stands behind a Consumer: the application's thread polls, the conductor hands it sessions and reads its
// counters. Between the two there is one atomic pointer (sessions, both ways), two flags and the counters; nothing else
// is shared.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/handoff.hpp"
#include "client/loss_ledger.hpp"
#include "client/pending_frames.hpp"
#include "shm/region_set.hpp"
#include "shm/slot_reader.hpp"
#include "tensorpool/consumer.hpp"
#include "transport/subscription.hpp"

namespace tensorpool::detail {

// One epoch of a stream, mapped for reading. Built and destroyed by the conductor, used by the application's thread.
struct ConsumerSession {
  ConsumerSession(std::unique_ptr<shm::RegionSet> mapped, std::shared_ptr<transport::Subscription> subscribed)
      : regions(std::move(mapped)), subscription(std::move(subscribed)), reader(*regions), pending(*regions) {}

  std::unique_ptr<shm::RegionSet> regions;
  // Shared with the sessions before and after it, of which one may still be in use; an epoch ends, the stream goes on.
  std::shared_ptr<transport::Subscription> subscription;
  shm::SlotReader reader;
  PendingFrames pending;
  ConsumerSession* next_retired = nullptr;
};

class ConsumerCore {
 public:
  explicit ConsumerCore(const ConsumerOptions& options) : options_(options) {}
  ~ConsumerCore();
  ConsumerCore(const ConsumerCore&) = delete;
  ConsumerCore& operator=(const ConsumerCore&) = delete;

  // --- The application's thread ---
  using Handler = void (*)(void* context, const Frame& frame);
  int poll(Handler call, void* context, int limit) noexcept;
  // The handle is gone: gives everything back, and lets the conductor detach.
  void close() noexcept;

  // --- The conductor's thread ---
  Handoff<ConsumerSession> sessions;
  void set_attached(bool attached) noexcept { attached_.store(attached, std::memory_order_release); }
  void set_ids(std::uint32_t stream_id, std::uint32_t client_id) noexcept;
  [[nodiscard]] bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  // --- Any thread ---
  [[nodiscard]] bool attached() const noexcept { return attached_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint32_t stream_id() const noexcept { return stream_id_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t client_id() const noexcept { return client_id_.load(std::memory_order_relaxed); }
  [[nodiscard]] ConsumerStats stats() const noexcept { return ledger_.stats(); }

 private:
  void pick_up() noexcept;
  void switch_over() noexcept;
  void drain() noexcept;
  void drain(transport::Subscription& subscription) noexcept;
  void on_descriptor(const protocol::FrameDescriptor& descriptor) noexcept;
  void resynchronise() noexcept;
  void find_start(ConsumerSession& session) noexcept;
  void find_missed(ConsumerSession& session) noexcept;
  void queue_found(ConsumerSession& session, std::uint64_t from, std::uint64_t to) noexcept;
  void skip_ahead() noexcept;
  void give_up_front(LossCause cause) noexcept;
  bool deliver_front(Handler call, void* context) noexcept;
  [[nodiscard]] std::uint64_t skip_threshold(const ConsumerSession& session) const noexcept;

  const ConsumerOptions options_;
  std::atomic<bool> attached_{false};
  std::atomic<bool> closed_{false};
  std::atomic<std::uint32_t> stream_id_{0};
  std::atomic<std::uint32_t> client_id_{0};

  // The application's thread only; the ledger may be read anywhere.
  LossLedger ledger_;
  ConsumerSession* current_ = nullptr;
  ConsumerSession* next_ = nullptr;  // taken from the conductor; used once the current one has nothing left to deliver
  std::uint64_t images_joined_ = 0;
  std::uint64_t images_lost_ = 0;
};

}  // namespace tensorpool::detail
