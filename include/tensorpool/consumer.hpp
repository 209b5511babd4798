// The reading end of a stream. One thread at a time. A slow consumer loses frames, by counted causes, and slows nobody.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "tensorpool/frame.hpp"
#include "tensorpool/partial_frame.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool {

// Where a consumer begins when it attaches, and after it fell out or was remapped to a new epoch.
enum class StartAt : std::uint8_t {
  latest,  // the newest committed frame, at once
  next,    // the first frame published from now on
  oldest,  // the oldest frame that is still safely readable
};

enum class ConsumerMode : std::uint8_t {
  stream,        // every frame, as far as the consumer keeps up
  rate_limited,  // at most max_rate_hz frames a second
};
[[nodiscard]] std::string_view to_string(ConsumerMode mode) noexcept;

// Every sequence that a consumer did not deliver has exactly one cause. `decimated` and `rate_limited` are its own
// wish, and no loss on the wire (QosConsumer).
enum class LossCause : std::uint8_t {
  gap,             // its descriptor never came (dropped by the producer, or this reader fell out of the stream)
  skipped,         // given up unread: more than the skip threshold behind, or a whole epoch, or `latest_only`
  overwritten,     // its slot held a newer frame before the payload was touched
  late,            // overwritten while it was read
  not_committed,   // descriptor seen, slot not (or no longer) committed
  invalid_header,  // the slot header broke a rule (type, shape, pool, length)
  unmapped,        // passed by while this consumer was not attached, or was told not to read shared memory
  decimated,       // between two frames that `decimation` lets through
  rate_limited,    // above max_rate_hz; on a stream of its own, also what the producer did not send for that reason
  stale,           // its slot's commit word was ahead of its content, which was that of a lap ago, and stayed so
};
inline constexpr std::size_t loss_causes = 10;
[[nodiscard]] std::string_view to_string(LossCause cause) noexcept;

// How often a consumer wants to hear of a frame that is being filled; a producer takes the tightest of its consumers'.
struct ProgressHints {
  std::uint32_t interval_us = 250;
  std::uint32_t bytes_delta = 65536;
  std::uint32_t rows_delta = 0;  // 0 = no matter
};

struct ConsumerOptions {
  std::uint32_t stream_id = 0;                // required: 0 is refused
  bool create = false;                        // EXISTING_OR_CREATE; otherwise the stream must exist
  std::uint32_t client_id = 0;                // 0 = random
  std::uint32_t expected_layout_version = 0;  // 0 = any
  StartAt start = StartAt::latest;
  bool latest_only = false;                   // each poll delivers only the newest frame
  std::uint32_t skip_threshold = 0;           // lag in frames beyond which it skips ahead; 0 = half the ring
  std::uint32_t max_outstanding_seq_gap = 0;  // 0 = off, else caps the skip threshold
  Nanos attach_timeout_ns = 0;                // >= 0; 0 = the client's

  // What of the stream it wants. A rate limit goes by the frames' time stamps (the descriptor's, else the slot's, else
  // the clock), and only frames that were delivered spend it. Where stamps are absent, stand still, go backwards, jump
  // far ahead or lag behind by seconds, it goes by the clock. 0.1 is one frame in ten seconds. The wire has whole Hz: a
  // producer that paces a stream of its own is told the next whole number, and the consumer keeps the exact rate.
  double max_rate_hz = 0;              // finite, >= 0; 0 = no limit
  std::optional<ConsumerMode> mode{};  // absent: rate_limited if max_rate_hz is given. A ConsumerConfig may change it
  std::uint32_t decimation = 1;        // deliver every n-th sequence; at least 1
  // Ask for a descriptor stream of its own. It gets what its mode allows, paced by the producer; nobody else's frames
  // pass through it. With `progress` it asks for a control stream of its own too, so that it hears of frames in flight
  // alone. Where either is declined it stays on the shared stream.
  bool own_streams = false;

  // What the hello says beside that.
  bool supports_shm = true;        // false: it never reads shared memory, so it gets no frame in this process
  bool use_shm = true;             // false: it reads none until a ConsumerConfig says so
  bool require_hugepages = false;  // the driver refuses unless the regions lie on a hugetlbfs
  Nanos hello_interval_ns = 0;     // >= 0, at most an hour; 0 = the client's announce period
  // How long the stream may go without a new frame, whether the application polls or not, before the event no_frames
  // is raised; looked at once per announce period. >= 0; 0 = never, as for a camera that waits for triggers.
  Nanos no_frames_timeout_ns = 5 * nanos_per_second;
  std::optional<ProgressHints> progress{};

  // Without a driver: follows what a standalone producer announces. `create` means nothing then.
  bool standalone = false;
};

// What is in force between a consumer and those who serve it: its wishes, as ConsumerConfig messages changed them.
struct ConsumerTerms {
  ConsumerMode mode = ConsumerMode::stream;
  double max_rate_hz = 0;                  // in force in mode rate_limited; 0 = no limit is known
  bool use_shm = true;                     // false: nothing is delivered
  std::string payload_fallback_uri{};      // where frames come from without shared memory, as the ConsumerConfig says
  std::uint32_t descriptor_stream_id = 0;  // of its own, granted; 0 = the shared one
  std::uint32_t control_stream_id = 0;     // likewise
  bool operator==(const ConsumerTerms&) const = default;
};

// FrameProgress messages of the consumer's stream, by what became of them; no part of any balance.
struct ProgressStats {
  std::uint64_t delivered = 0;
  std::uint64_t wrong_epoch = 0;
  std::uint64_t not_there = 0;  // the slot holds another sequence or no valid header, or is not complete as was said
  std::uint64_t beyond_length = 0;  // more bytes than the frame has
  std::uint64_t not_newer = 0;      // repeated, or going backwards
  std::uint64_t malformed = 0;
};

// Over all epochs: last_seq - first_seq + 1 = delivered + abandoned + sum(lost). An epoch's books close, at what its
// producer has reached, when the consumer goes on; what one that lost its lease writes until it hears so is in none.
struct ConsumerStats {
  std::uint64_t delivered = 0;
  std::uint64_t payload_bytes = 0;  // of the delivered frames, not part of the balance
  std::uint64_t abandoned = 0;      // gaps that the producer left on purpose (a claim given up)
  std::array<std::uint64_t, loss_causes> lost{};
  std::uint64_t unannounced = 0;  // taken up without a descriptor, since that was dropped and nothing came behind it
  // Looks that found a commit word ahead of its slot's content, once for each sequence; not part of the balance, since
  // the frame may come yet.
  std::uint64_t stale_seen = 0;
  std::uint64_t wrong_epoch = 0;      // descriptors of another epoch, not part of the balance
  std::uint64_t malformed = 0;        // fragments that were no descriptor, not part of the balance
  std::uint64_t configs_refused = 0;  // ConsumerConfigs for this consumer that broke a rule, not part of the balance
  std::uint64_t regions_lost = 0;     // epochs given up because a file was truncated under its mapping
  std::uint64_t no_frames = 0;        // events no_frames
  ProgressStats progress{};
  // From a frame's time stamp, where that is of CLOCK_MONOTONIC, until it is handed over; of about a hundred frames a
  // second, in invoker mode of the first frame after each do_work and until that began. The mean is sum / samples.
  std::uint64_t latency_samples = 0;
  std::uint64_t latency_sum_ns = 0;
  std::uint64_t remaps = 0;
  std::uint64_t epoch = 0;      // current, 0 = none
  std::uint64_t first_seq = 0;  // first sequence accounted for in the current epoch
  std::uint64_t last_seq = 0;   // last sequence accounted for in the current epoch
  std::uint64_t accounted = 0;  // sequences accounted for over all epochs
  [[nodiscard]] std::uint64_t lost_total() const noexcept;
  [[nodiscard]] std::uint64_t operator[](LossCause cause) const noexcept {
    return lost[static_cast<std::size_t>(cause)];
  }
};

namespace detail {
class ConsumerCore;
}

// One that was moved from may only be destroyed or assigned to. In a child that fork() made it is unattached: poll and
// poll_progress return 0, wait lets its time pass and returns false, terms() is empty, and the counters stand as they
// were. A child that was forked inside on_frame may read that frame to its end; one that was forked inside on_progress
// must not return from it.
class Consumer {
 public:
  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;
  ~Consumer();  // detaches

  // Calls on_frame(const Frame&) for at most `limit` frames that are waiting, and returns how many it called it for.
  // Never blocks, and tries at most `limit` + slots frames of the ring. 0 also while unattached, and in a poll from
  // inside on_frame.
  // REQUIRES: on_frame does not throw, and does not destroy, move or assign this Consumer.
  template <class F>
  int poll(F&& on_frame, int limit = 16) noexcept {
    using Handler = std::remove_reference_t<F>;
    return poll_erased([](void* f, const Frame& frame) { (*static_cast<Handler*>(f))(frame); },
                       const_cast<void*>(static_cast<const void*>(&on_frame)), limit);
  }

  // Blocks until the next poll() may find something, at most for timeout_ns (an hour); false if it found nothing. True
  // may be a false alarm: poll, and wait again. Under a producer with ProducerOptions::wake_consumers it sleeps in the
  // kernel until the next frame's descriptor is out; under any other it naps 50 us at a time. What else happens to the
  // stream (a new epoch, another lease) ends a sleep within 10 ms. Not for progress, nor from inside on_frame; in
  // invoker mode no duty cycle is run meanwhile.
  bool wait(Nanos timeout_ns) noexcept;

  // Calls on_progress(const PartialFrame&) for frames that are being filled, in at most `limit` messages of the control
  // stream, and returns how many it called it for. Never blocks. Only with ConsumerOptions::progress; what is not
  // polled for is lost, and no frame with it: each still comes by poll(). REQUIRES: as poll.
  template <class F>
  int poll_progress(F&& on_progress, int limit = 64) noexcept {
    using Handler = std::remove_reference_t<F>;
    return poll_progress_erased([](void* f, const PartialFrame& frame) { (*static_cast<Handler*>(f))(frame); },
                                const_cast<void*>(static_cast<const void*>(&on_progress)), limit);
  }

  [[nodiscard]] bool attached() const noexcept;
  [[nodiscard]] std::uint32_t stream_id() const noexcept;
  [[nodiscard]] std::uint32_t client_id() const noexcept;
  [[nodiscard]] ConsumerStats stats() const noexcept;
  // Any thread; takes a lock.
  [[nodiscard]] ConsumerTerms terms() const;

 private:
  friend class Client;
  explicit Consumer(std::shared_ptr<detail::ConsumerCore> core) noexcept;
  int poll_progress_erased(void (*call)(void*, const PartialFrame&), void* handler, int limit) noexcept;
  int poll_erased(void (*call)(void*, const Frame&), void* handler, int limit) noexcept;
  std::shared_ptr<detail::ConsumerCore> core_;
};

}  // namespace tensorpool
