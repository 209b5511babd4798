// The reading end of a stream. One thread at a time. A slow consumer loses frames, by counted causes, and slows nobody.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>

#include "tensorpool/frame.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool {

// Where a consumer begins when it attaches, and after it fell out or was remapped to a new epoch.
enum class StartAt : std::uint8_t {
  latest,  // the newest committed frame, at once
  next,    // the first frame published from now on
  oldest,  // the oldest frame that is still safely readable
};

// Every sequence that a consumer did not deliver has exactly one cause.
enum class LossCause : std::uint8_t {
  gap,             // its descriptor never came (dropped by the producer, or this reader fell out of the stream)
  skipped,         // given up unread: more than the skip threshold behind, or a whole epoch, or `latest_only`
  overwritten,     // its slot held a newer frame before the payload was touched
  late,            // overwritten while it was read
  not_committed,   // descriptor seen, slot not (or no longer) committed
  invalid_header,  // the slot header broke a rule (type, shape, pool, length)
  unmapped,        // passed by while this consumer was not attached
};
inline constexpr std::size_t loss_causes = 7;
[[nodiscard]] std::string_view to_string(LossCause cause) noexcept;

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
  // Without a driver: follows what a standalone producer announces. `create` means nothing then.
  bool standalone = false;
};

// For one epoch after the other: last_seq - first_seq + 1 summed = delivered + abandoned + sum(lost). An epoch's books
// close, at the producer's last sequence, when the consumer goes on to the next one.
struct ConsumerStats {
  std::uint64_t delivered = 0;
  std::uint64_t abandoned = 0;  // gaps that the producer left on purpose (a claim given up)
  std::array<std::uint64_t, loss_causes> lost{};
  std::uint64_t wrong_epoch = 0;  // descriptors of another epoch, not part of the balance
  std::uint64_t malformed = 0;    // fragments that were no descriptor, not part of the balance
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

// One that was moved from may only be destroyed or assigned to.
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

  [[nodiscard]] bool attached() const noexcept;
  [[nodiscard]] std::uint32_t stream_id() const noexcept;
  [[nodiscard]] std::uint32_t client_id() const noexcept;
  [[nodiscard]] ConsumerStats stats() const noexcept;

 private:
  friend class Client;
  explicit Consumer(std::shared_ptr<detail::ConsumerCore> core) noexcept;
  int poll_erased(void (*call)(void*, const Frame&), void* handler, int limit) noexcept;
  std::shared_ptr<detail::ConsumerCore> core_;
};

}  // namespace tensorpool
