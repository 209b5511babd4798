// What stands behind a Consumer: the application's thread polls, the conductor hands it sessions and reads its
// counters. Between the two there is one atomic pointer (sessions, both ways), some atomics and the counters; nothing
// else is shared.
//
// The books (client/loss_ledger.hpp) cover every epoch that was mapped: one that is done with is closed by a look at
// its ring, because the descriptors of its last sequences may never come; one that is over before its turn is booked
// whole.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "base/handoff.hpp"
#include "base/origin.hpp"
#include "client/frame_selection.hpp"
#include "client/frame_wait.hpp"
#include "client/loss_ledger.hpp"
#include "client/pending_frames.hpp"
#include "client/progress_inbox.hpp"
#include "client/slot_memory.hpp"
#include "shm/region_set.hpp"
#include "shm/slot_reader.hpp"
#include "tensorpool/consumer.hpp"
#include "transport/subscription.hpp"

namespace tensorpool::detail {

// One epoch of a stream, mapped for reading, and where its descriptors come from. Built and destroyed by the conductor,
// used by the application's thread.
struct ConsumerSession {
  // The last two begin somewhere in an epoch that is being read already.
  enum class Source : std::uint8_t {
    shared_stream,
    one_publication,  // of the shared stream: that of the producer
    own_stream,       // the consumer's own
  };

  ConsumerSession(std::shared_ptr<shm::RegionSet> mapped, std::shared_ptr<transport::Subscription> subscribed,
                  Source comes_from = Source::shared_stream)
      : regions(std::move(mapped)),
        subscription(std::move(subscribed)),
        source(comes_from),
        reader(*regions),
        pending(*regions),
        memory(regions->nslots()),
        begins_at(pending.ring_end()) {}

  // Shared with the sessions that read the same epoch from another stream.
  std::shared_ptr<shm::RegionSet> regions;
  // Shared with the sessions before and after it, of which one may still be in use; an epoch ends, the stream goes on.
  std::shared_ptr<transport::Subscription> subscription;
  Source source;
  bool proven =
      false;  // not the shared stream: a descriptor of this epoch came, and what was before it is in the books
  std::uint64_t number = 0;  // of the offer
  shm::SlotReader reader;
  PendingFrames pending;
  SlotMemory memory;
  std::uint64_t skip_threshold = 0;  // frames behind the newest from which on it alone is read; set when it is offered
  std::uint64_t begins_at;  // what was published since this was mapped; from there on it must not pass by uncounted
  std::optional<std::int32_t> carrier;  // the publication that brings this epoch's descriptors, once one came
  bool fell_out = false;                // its image was lost, and nothing has come since
  ConsumerSession* next_retired = nullptr;
};

class ConsumerCore {
 public:
  explicit ConsumerCore(const ConsumerOptions& options) : options_(options), selection_(options.decimation) {}
  ~ConsumerCore();
  ConsumerCore(const ConsumerCore&) = delete;
  ConsumerCore& operator=(const ConsumerCore&) = delete;

  // --- The application's thread ---
  using Handler = void (*)(void* context, const Frame& frame);
  int poll(Handler call, void* context, int limit) noexcept;
  using ProgressHandler = void (*)(void* context, const PartialFrame& frame);
  int poll_progress(ProgressHandler call, void* context, int limit) noexcept;
  bool wait(Nanos timeout) noexcept;
  // The handle is gone: gives everything back, and lets the conductor detach.
  void close() noexcept;

  // --- Both threads, each its own functions ---
  ProgressInbox progress;

  // --- The conductor's thread ---
  Handoff<ConsumerSession> sessions;
  // Offers a session, and books the one before it if that epoch ended before the application ever looked.
  void offer(std::unique_ptr<ConsumerSession> session);
  // Whether the application reads from the session that was offered last.
  [[nodiscard]] bool reads_newest() const noexcept { return reading_.load(std::memory_order_acquire) == offers_; }
  // The publication that brings the descriptors of the session that is read.
  [[nodiscard]] std::optional<std::int32_t> carrier() const noexcept {
    const std::int64_t known = carrier_.load(std::memory_order_relaxed);
    return known == no_carrier ? std::nullopt : std::optional(static_cast<std::int32_t>(known));
  }
  void set_terms(const ConsumerTerms& terms);
  void count_refused_config() noexcept { configs_refused_.add(); }
  void count_lost_regions() noexcept { regions_lost_.add(); }
  void count_no_frames() noexcept { no_frames_.add(); }
  // The next frame that is delivered has its latency taken, at `now` or by the clock. A clock read for each frame would
  // cost what reading costs.
  static constexpr Nanos by_the_clock = -1;
  void ask_latency(Nanos now) noexcept { latency_asked_.store(now, std::memory_order_relaxed); }
  void set_attached(bool attached) noexcept { attached_.set(attached); }
  void set_ids(std::uint32_t stream_id, std::uint32_t client_id) noexcept;
  [[nodiscard]] bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  // --- Any thread ---
  [[nodiscard]] const ConsumerOptions& options() const noexcept { return options_; }
  [[nodiscard]] bool attached() const noexcept { return attached_.is_set(); }
  [[nodiscard]] std::uint32_t stream_id() const noexcept { return stream_id_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t client_id() const noexcept { return client_id_.load(std::memory_order_relaxed); }
  [[nodiscard]] ConsumerStats stats() const noexcept;
  [[nodiscard]] ConsumerTerms terms() const;

 private:
  [[nodiscard]] bool has_work() noexcept;
  void pick_up() noexcept;
  void switch_over() noexcept;
  void close_books(const ConsumerSession& ended) noexcept;
  void pass_by(ConsumerSession& ended, ConsumerSession& successor) noexcept;
  void drain() noexcept;
  void drain_and_follow() noexcept;
  bool drain(transport::Subscription& subscription) noexcept;  // true: there was no more
  void drain_whole(transport::Subscription& subscription) noexcept;
  void drain_next() noexcept;
  void prove(ConsumerSession& own) noexcept;
  [[nodiscard]] bool can_switch() const noexcept;
  void note_carrier(ConsumerSession& session, std::int32_t session_id) noexcept;
  void tell_carrier() noexcept;
  [[nodiscard]] ConsumerSession* session_of(std::uint64_t epoch) const noexcept;
  ConsumerSession* on_descriptor(const protocol::DescriptorFields& descriptor) noexcept;
  [[nodiscard]] bool came_back() noexcept;
  void note_images() noexcept;
  void resynchronise(const std::optional<shm::CommittedRange>& committed) noexcept;
  void find_start(ConsumerSession& session) noexcept;
  void find_missed(ConsumerSession& session, std::uint64_t newest) noexcept;
  std::uint64_t queue_found(ConsumerSession& session, std::uint64_t from, std::uint64_t to) noexcept;
  void look_for_unannounced() noexcept;
  [[nodiscard]] bool lags() const noexcept;
  void skip_to_newest() noexcept;
  [[nodiscard]] bool may_lag() const noexcept;
  void give_up_front(LossCause cause) noexcept;
  void give_up_stale_front() noexcept;
  void note_stale(std::uint64_t seq) noexcept;
  void enter_missed(std::uint64_t end, const MissedFrames& missed, LossCause cause) noexcept;
  void note_missed(const PendingFrame& frame) noexcept;
  [[nodiscard]] LossCause cause_of_holes(const ConsumerSession& session) const noexcept;
  bool deliver_front(Handler call, void* context) noexcept;
  void sample_latency(Nanos asked, Nanos stated, const shm::SlotView& slot) noexcept;
  [[nodiscard]] std::uint64_t skip_threshold(const shm::RegionSet& regions) const noexcept;

  const ConsumerOptions options_;
  const Origin origin_{};
  LocalFlag attached_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> use_shm_{true};
  std::atomic<Nanos> latency_asked_{0};    // 0 = not asked
  std::atomic<Nanos> rate_interval_{0};    // of the limit in force; 0 = none
  std::atomic<std::uint64_t> reading_{0};  // the number of the current session
  static constexpr std::int64_t no_carrier = std::int64_t{1} << 32;
  std::atomic<std::int64_t> carrier_{no_carrier};  // of the current session
  mutable std::mutex terms_mutex_;
  ConsumerTerms terms_;
  std::atomic<std::uint32_t> stream_id_{0};
  std::atomic<std::uint32_t> client_id_{0};

  // The conductor's thread only; the counters may be read anywhere.
  std::uint64_t offered_epoch_ = 0;
  std::uint64_t offers_ = 0;
  CounterCell passed_by_frames_, passed_by_abandoned_, passed_by_epochs_, configs_refused_, regions_lost_, no_frames_;

  // The application's thread only; the ledger and the counters may be read anywhere.
  LossLedger ledger_;
  CounterCell latency_samples_, latency_sum_, unannounced_, stale_seen_;
  FrameSelection selection_;
  FrameWait frame_wait_;
  ConsumerSession* current_ = nullptr;
  ConsumerSession* next_ = nullptr;  // taken from the conductor; used once the current one has nothing left to deliver
  ConsumerSession* replaced_ = nullptr;  // the next one until a moment ago; null but for the time of a pick_up
  bool in_callback_ = false;             // a frame is lent, and with it the session that it lies in
  unsigned empty_polls_ = 0;
  std::uint64_t untold_seq_ = ~std::uint64_t{0};  // committed when it was last looked at, and its descriptor not there
  std::uint64_t stale_seq_ = ~std::uint64_t{0};   // whose slot was found stale last, in the current epoch
  std::uint64_t images_joined_ = 0;
  std::uint64_t images_lost_ = 0;
};

inline ConsumerSession* ConsumerCore::session_of(std::uint64_t epoch) const noexcept {
  if (epoch == current_->regions->epoch()) return current_;
  for (ConsumerSession* const session : {replaced_, next_}) {
    if (session != nullptr && epoch == session->regions->epoch()) return session;
  }
  return nullptr;
}

}  // namespace tensorpool::detail
