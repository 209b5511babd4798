// What stands behind a Producer and its claims: the application's thread publishes, the conductor hands it sessions,
// keeps the lease and reads its counters. Between the two there is one atomic pointer (sessions, both ways), some flags
// and the counters. A session goes back to the conductor, and is unmapped, only when no claim on it is open.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/handoff.hpp"
#include "base/origin.hpp"
#include "client/checked_layout.hpp"
#include "client/claim_ledger.hpp"
#include "client/counter_cell.hpp"
#include "client/metadata_book.hpp"
#include "client/own_streams.hpp"
#include "client/progress_reporter.hpp"
#include "protocol/descriptor_bytes.hpp"
#include "shm/region_set.hpp"
#include "shm/slot_writer.hpp"
#include "tensorpool/producer.hpp"
#include "transport/publication.hpp"

namespace tensorpool::detail {

// How many sequences may lie between the oldest open claim and the newest frame, so that `min_readable` slots (0 = half
// the ring) stay readable.
[[nodiscard]] std::uint32_t claim_span(std::uint32_t nslots, std::uint32_t min_readable) noexcept;

// One epoch of a stream, mapped for writing. Built and destroyed by the conductor, used by the application's thread.
struct ProducerSession {
  ProducerSession(std::shared_ptr<shm::RegionSet> mapped, std::shared_ptr<transport::Publication> published,
                  std::uint32_t min_readable)
      : regions(std::move(mapped)),
        publication(std::move(published)),
        writer(*regions),
        descriptor(regions->stream_id(), regions->epoch()),
        claims(regions->nslots(), claim_span(regions->nslots(), min_readable)),
        in_flight(std::make_unique<FrameInFlight[]>(regions->nslots())) {}

  // Shared with the conductor, which refreshes the activity time while the session is in the application's hands.
  std::shared_ptr<shm::RegionSet> regions;
  // Shared with the sessions before and after it, of which one may still be in use; an epoch ends, the stream goes on.
  std::shared_ptr<transport::Publication> publication;
  shm::SlotWriter writer;
  protocol::DescriptorTemplate descriptor;
  ClaimLedger claims;
  std::uint64_t wake_next = 0;                 // the lowest sequence whose slot nobody was woken on yet
  std::unique_ptr<FrameInFlight[]> in_flight;  // by slot; of claims that were made with a layout
  bool superseded = false;                     // no longer current; goes back with its last open claim
  ProducerSession* next_retired = nullptr;
};

class ProducerCore : public std::enable_shared_from_this<ProducerCore> {
 public:
  explicit ProducerCore(const ProducerOptions& options) : options_(options) {}
  ~ProducerCore();
  ProducerCore(const ProducerCore&) = delete;
  ProducerCore& operator=(const ProducerCore&) = delete;

  // --- The application's thread ---
  PublishStatus publish(const TensorLayout& layout, std::span<const std::byte> payload, const FrameInfo& info) noexcept;
  Expected<SlotClaim, PublishStatus> claim(std::size_t bytes) noexcept;
  Expected<SlotClaim, PublishStatus> claim(std::size_t bytes, const TensorLayout& layout) noexcept;
  ProgressStatus tell_progress(const SlotClaim& claim, std::size_t bytes_filled) noexcept;
  // Without `payload_bytes` as many as the layout extends over.
  PublishStatus commit(SlotClaim& claim, const TensorLayout& layout, std::optional<std::size_t> payload_bytes,
                       const FrameInfo& info) noexcept;
  void abandon(SlotClaim& claim) noexcept;
  // Null also in a child that fork() made.
  [[nodiscard]] ProducerSession* current() noexcept;
  // The handle is gone: gives back what no claim holds, and lets the conductor detach.
  void close() noexcept;
  [[nodiscard]] ProducerStats stats() const noexcept;

  // --- Both threads, each its own functions ---
  ProgressReporter progress;

  // --- The conductor's thread ---
  Handoff<ProducerSession> sessions;
  Handoff<OwnStreams> own_streams;
  void set_attached(bool attached) noexcept { attached_.set(attached); }
  void set_consumers_seen(bool seen) noexcept { consumers_seen_.store(seen, std::memory_order_relaxed); }
  void set_ids(std::uint32_t stream_id, std::uint32_t client_id, std::optional<std::uint32_t> node_id) noexcept;
  [[nodiscard]] bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  // --- Any thread ---
  // False in a child that fork() made: nothing but the end of the handle may be asked for there.
  [[nodiscard]] bool is_here() const noexcept { return origin_.is_here(); }
  MetadataBook metadata;
  [[nodiscard]] const ProducerOptions& options() const noexcept { return options_; }
  [[nodiscard]] bool attached() const noexcept { return attached_.is_set(); }
  [[nodiscard]] std::uint32_t stream_id() const noexcept { return stream_id_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t client_id() const noexcept { return client_id_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::optional<std::uint32_t> node_id() const noexcept;
  [[nodiscard]] std::optional<std::uint64_t> oldest_open_claim() const noexcept;
  [[nodiscard]] std::uint64_t claims_refused() const noexcept { return claims_refused_.get(); }
  void count_lost_regions() noexcept { regions_lost_.add(); }           // the conductor's thread
  void count_descriptor_stall() noexcept { descriptor_stalls_.add(); }  // likewise
  [[nodiscard]] std::uint64_t open_claims() const noexcept { return open_claims_.get(); }
  // The statistics without the retries of the publication in use, which are the application's thread's.
  [[nodiscard]] ProducerStats counted() const noexcept;
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_.get(); }
  [[nodiscard]] std::uint64_t next_seq() const noexcept { return next_seq_.get(); }

 private:
  // What stops a frame of `bytes` before a slot is taken; else the pool it goes to.
  struct Place {
    PublishStatus status;
    int pool;
  };
  Place place(std::size_t bytes) noexcept;
  // Time and version of a frame: the application's, else the clock's and the metadata's.
  struct Stamp {
    Nanos timestamp_ns;
    std::uint32_t meta_version;
  };
  [[nodiscard]] Stamp stamp_of(const FrameInfo& info) const noexcept;
  bool is_crowded() noexcept;
  Stamp fill(ProducerSession& session, std::uint64_t seq, int pool, const TensorLayout& layout,
             std::span<const std::byte> payload, const FrameInfo& info) noexcept;
  void pick_up() noexcept;
  void pick_up_own_streams() noexcept;
  bool pick_up_attached() noexcept;
  void supersede(ProducerSession* session) noexcept;
  void settle(SlotClaim& claim) noexcept;
  void note_progress(const ProducerSession& session) noexcept;
  PublishStatus send(ProducerSession& session, std::uint64_t seq, const Stamp& stamp,
                     const std::optional<std::uint64_t>& trace_id) noexcept;
  static void wake_consumers(ProducerSession& session, std::uint64_t seq) noexcept;
  PublishStatus flush(ProducerSession& session, std::uint64_t seq) noexcept;
  [[nodiscard]] bool fits_its_claim(const SlotClaim& claim, const TensorLayout& layout, std::size_t bytes) noexcept;
  // Of a frame whose layout was the last to be checked.
  [[nodiscard]] shm::SlotMeta meta_of(const TensorLayout& layout, std::size_t bytes, const Stamp& stamp) const noexcept;
  static FrameInFlight& in_flight(const SlotClaim& claim) noexcept;
  static FrameKey key_of(const SlotClaim& claim) noexcept;

  const ProducerOptions options_;
  const Origin origin_{};
  LocalFlag attached_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> consumers_seen_{false};
  std::atomic<std::uint32_t> stream_id_{0};
  std::atomic<std::uint32_t> client_id_{0};
  std::atomic<std::uint64_t> node_id_{0};  // the id + 1, 0 = none

  // The application's thread only; counters may be read anywhere.
  ProducerSession* current_ = nullptr;
  OwnStreams* own_ = nullptr;                     // null while no consumer has a stream of its own
  std::uint32_t claims_out_ = 0;                  // open, of every epoch
  std::shared_ptr<ProducerCore> kept_by_claims_;  // itself, once the handle is gone before its claims
  CheckedLayout layouts_;
  CounterCell published_, payload_bytes_, abandoned_, descriptors_dropped_, admin_retries_, too_large_, invalid_layout_,
      claims_refused_, not_attached_, epoch_, next_seq_, oldest_open_, open_claims_, own_streams_full_;
  CounterCell regions_lost_, descriptor_stalls_;  // the conductor counts
};

}  // namespace tensorpool::detail
