// The writing end of a stream. One thread at a time; the client's conductor keeps the lease alive behind it.
// A producer never waits for anybody: whatever cannot be said is a status and a counter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensorpool/metadata.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/standalone.hpp"
#include "tensorpool/tensor.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool {

enum class PublishStatus : std::uint8_t {
  ok,                  // committed and its descriptor sent (or queued behind an open claim)
  no_consumer,         // committed; nobody is connected, or has said hello for 5 periods; a late joiner can read it
  descriptor_dropped,  // committed, but the descriptor stream was back-pressured: consumers see a gap
  not_attached,        // no lease right now (driver or media driver gone, or revoked; always in a child that fork()
                       // made): nothing was written
  too_large,           // larger than every pool's stride: nothing was written
  invalid_layout,      // the layout does not describe the payload: nothing was written, or the claim was abandoned
  claims_exhausted,    // open claims hold so many slots that fewer than min_readable_slots would stay readable
  stale_claim,         // the claim belongs to an epoch that has ended: its bytes went into the old epoch's files only.
                       // Also in a child that fork() made: the claim stays open for its parent
};
[[nodiscard]] std::string_view to_string(PublishStatus status) noexcept;
// True if the frame is in shared memory and readable.
[[nodiscard]] constexpr bool is_committed(PublishStatus s) noexcept {
  return s == PublishStatus::ok || s == PublishStatus::no_consumer || s == PublishStatus::descriptor_dropped;
}

// What became of SlotClaim::progress.
enum class ProgressStatus : std::uint8_t {
  sent,
  held_back,    // too soon, or too little, after the last one
  no_consumer,  // nobody has asked for progress for 5 periods
  dropped,      // the control stream was back-pressured; consumers hear with the next
  refused,      // the claim was made without a layout, or `bytes_filled` is beyond its length or going backwards
  stale_claim,  // as for commit
};
[[nodiscard]] std::string_view to_string(ProgressStatus status) noexcept;

// What goes with a frame beside its layout.
struct FrameInfo {
  Nanos timestamp_ns = 0;          // capture time, CLOCK_MONOTONIC by default; 0 = stamped at commit
  std::uint32_t meta_version = 0;  // 0 = that of the metadata as it is (Producer::metadata_version)
  std::optional<std::uint64_t> trace_id{};
};

struct ProducerOptions {
  std::uint32_t stream_id = 0;                // 0 with create: the driver allocates one; otherwise 0 is refused
  bool create = false;                        // EXISTING_OR_CREATE; otherwise the stream must exist
  std::uint32_t client_id = 0;                // 0 = random
  std::uint32_t expected_layout_version = 0;  // 0 = any
  std::optional<std::uint32_t> desired_node_id{};
  std::uint32_t min_readable_slots = 0;  // claims are refused below this; 0 = half the ring
  Nanos attach_timeout_ns = 0;           // >= 0; 0 = the client's
  // Progress goes out no oftener and in no smaller steps than this, whatever consumers ask for. The first >= 0.
  Nanos progress_interval_ns = 250 * nanos_per_micro;
  std::uint64_t progress_bytes_delta = 65536;
  // Wakes consumers that sleep in Consumer::wait, after each frame's descriptor went out: a system call for each frame,
  // 0.3 us with nobody asleep, several with somebody. Off: they nap.
  bool wake_consumers = false;
  // Without a driver: the producer makes, announces and removes the regions of its stream itself. `create` and
  // `desired_node_id` mean nothing then, and stream_id is required.
  std::optional<StandaloneOptions> standalone{};
};

struct ProducerStats {
  std::uint64_t published = 0;      // committed frames
  std::uint64_t payload_bytes = 0;  // in them
  std::uint64_t abandoned = 0;      // sequences given up: a claim destroyed, failed, or of an ended epoch
  // Committed, but consumers were not told: the stream was back-pressured (status descriptor_dropped), or the epoch
  // ended while an open claim held them back.
  std::uint64_t descriptors_dropped = 0;
  // How often descriptors were dropped for longer than a second (event descriptors_blocked).
  std::uint64_t descriptor_stalls = 0;
  // Descriptors that a consumer's own stream had no room for, since that consumer does not read. It alone misses them.
  std::uint64_t own_streams_full = 0;
  std::uint64_t admin_retries = 0;
  std::uint64_t too_large = 0;
  std::uint64_t invalid_layout = 0;
  std::uint64_t claims_refused = 0;
  std::uint64_t not_attached = 0;  // calls while there was no lease
  std::uint64_t regions_lost = 0;  // epochs given up because a file was truncated under its mapping
  std::uint64_t progress_sent = 0;
  std::uint64_t progress_dropped = 0;  // back-pressured, or the connection was gone
  std::uint64_t progress_refused = 0;
  std::uint64_t epoch = 0;      // of the current attachment, 0 = none
  std::uint64_t first_seq = 0;  // of the current epoch; always 0 (wire 1.2), here as the partner of next_seq
  std::uint64_t next_seq = 0;   // of the current epoch: the sequence of the next frame
};

namespace detail {
class ProducerCore;
}

// A payload slot that the caller (or a device) fills in place. Move-only; one that was moved from commits nothing
// (stale_claim). Destroying it abandons its sequence, which consumers see as a gap. Open claims hold back the
// descriptors of later sequences.
class SlotClaim {
 public:
  SlotClaim(SlotClaim&& other) noexcept
      : core_(other.core_),
        session_(std::exchange(other.session_, nullptr)),
        payload_(std::exchange(other.payload_, {})),
        seq_(other.seq_),
        epoch_(other.epoch_),
        pool_(other.pool_),
        pool_id_(other.pool_id_),
        described_(other.described_) {}
  SlotClaim& operator=(SlotClaim&& other) noexcept;
  ~SlotClaim() {
    if (session_ != nullptr) abandon();
  }

  // The whole slot: stable address, 64-byte aligned, at least as long as what was asked for. Undefined for the frame if
  // a child that fork() made writes there: the slot is the parent's.
  [[nodiscard]] std::span<std::byte> payload() const noexcept { return payload_; }
  [[nodiscard]] std::uint64_t seq() const noexcept { return seq_; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  [[nodiscard]] std::uint16_t pool_id() const noexcept { return pool_id_; }

  // Says that the first `bytes_filled` bytes of the payload are final, to consumers that asked for it; never waits.
  // REQUIRES: the claim was made with a layout.
  ProgressStatus progress(std::size_t bytes_filled) noexcept;

  // A claim that was made with a layout is committed with that same layout, as consumers may be reading by it already,
  // and with no fewer bytes than were said to be final.
  // Publishes the first layout.extent_bytes() bytes, or `payload_bytes` when given (>= the extent).
  PublishStatus commit(const TensorLayout& layout, const FrameInfo& info = {}) && noexcept;
  PublishStatus commit(const TensorLayout& layout, std::size_t payload_bytes, const FrameInfo& info) && noexcept;

 private:
  friend class Producer;
  friend class detail::ProducerCore;
  SlotClaim(detail::ProducerCore* core, void* session, std::span<std::byte> payload, std::uint64_t seq,
            std::uint64_t epoch, int pool, std::uint16_t pool_id) noexcept
      : core_(core), session_(session), payload_(payload), seq_(seq), epoch_(epoch), pool_(pool), pool_id_(pool_id) {}
  void abandon() noexcept;

  detail::ProducerCore* core_;  // lives, with its mapping, until its last claim is done
  void* session_;               // the core's, for the epoch that was claimed from; null once the claim is done
  std::span<std::byte> payload_;
  std::uint64_t seq_;
  std::uint64_t epoch_;
  int pool_;  // index of the pool, smallest first
  std::uint16_t pool_id_;
  bool described_ = false;  // made with a layout
};

// One that was moved from may only be destroyed or assigned to. In a child that fork() made, publish and claim answer
// not_attached, what changes the metadata fails with ErrorCode::closed, slots() and the like are 0, and the counters
// stand as they were.
class Producer {
 public:
  Producer(Producer&&) noexcept;
  Producer& operator=(Producer&&) noexcept;
  ~Producer();  // detaches

  // Copies `payload` into the smallest pool that fits and publishes it.
  PublishStatus publish(const TensorLayout& layout, std::span<const std::byte> payload,
                        const FrameInfo& info = {}) noexcept;

  // Claims a slot of at least `bytes` for zero-copy filling. Several may be open, and complete in any order. A claim
  // keeps its files mapped, and the producer's memory alive, until it is committed or destroyed.
  [[nodiscard]] Expected<SlotClaim, PublishStatus> claim(std::size_t bytes) noexcept;
  // The same for a frame that consumers may read while it is filled: `layout`, of `bytes` bytes, is written first, and
  // those who asked for progress hear that the frame was started.
  [[nodiscard]] Expected<SlotClaim, PublishStatus> claim(std::size_t bytes, const TensorLayout& layout) noexcept;

  // How many sequences may lie between the oldest open claim and the newest frame, so also how many claims may be open
  // at once in the current layout: slots() - min_readable_slots. Beyond it claim and publish answer claims_exhausted.
  [[nodiscard]] std::size_t max_claims() const noexcept;
  // The oldest claim that is open, which is what claims_exhausted waits for. A `log` event tells its age.
  [[nodiscard]] std::optional<std::uint64_t> oldest_open_claim() const noexcept;
  // The largest payload that any pool takes, in bytes; 0 while unattached.
  [[nodiscard]] std::size_t max_payload_bytes() const noexcept;
  // Address of slot `index` in pool `pool_id` of the current epoch, for devices that register the whole ring once;
  // empty when there is no such slot. Fill only what is claimed.
  [[nodiscard]] std::span<std::byte> slot_address(std::uint16_t pool_id, std::uint32_t index) noexcept;
  [[nodiscard]] std::uint32_t slots() const noexcept;

  // What the stream says of itself, told to readers at once and once per announce period, for as long as this producer
  // lives, over all its epochs. Any thread; never on the frame path. Each call that changes something makes the version
  // one higher; frames published after it carry that version. Errors: beyond the limits of tensorpool/metadata.hpp, and
  // nothing is changed then.
  Status set_source(std::string name, std::string summary = {});
  Status set_attribute(Attribute attribute);                      // added, or put in the place of the one of that key
  Status set_attribute(std::string key, std::string_view text);   // "text/plain"
  Status erase_attribute(std::string_view key);                   // none of that key: no change
  Status replace_attributes(std::vector<Attribute> attributes);   // all of them, as one change
  [[nodiscard]] std::uint32_t metadata_version() const noexcept;  // 0 = nothing was ever set

  [[nodiscard]] bool attached() const noexcept;
  [[nodiscard]] std::uint32_t stream_id() const noexcept;
  [[nodiscard]] std::uint32_t client_id() const noexcept;
  [[nodiscard]] std::optional<std::uint32_t> node_id() const noexcept;
  [[nodiscard]] ProducerStats stats() const noexcept;

 private:
  friend class Client;
  explicit Producer(std::shared_ptr<detail::ProducerCore> core) noexcept;
  std::shared_ptr<detail::ProducerCore> core_;
};

}  // namespace tensorpool
