// Who asked a producer for progress, and how often: the hints of its consumers' hellos, of which the tightest holds,
// and never below the producer's own floor. A fixed number of consumers is remembered, the latest ones. Conductor's
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "protocol/messages.hpp"
#include "tensorpool/producer.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::detail {

// A frame's progress is told when all of these have passed since it was told last.
struct ProgressLimits {
  Nanos interval_ns = 0;
  std::uint64_t bytes_delta = 0;
  std::uint32_t rows_delta = 0;  // 0 = no matter
  bool operator==(const ProgressLimits&) const = default;
};

[[nodiscard]] constexpr ProgressLimits progress_floor(const ProducerOptions& options) noexcept {
  return {options.progress_interval_ns, options.progress_bytes_delta, 0};
}

class ProgressWishes {
 public:
  explicit ProgressWishes(ProgressLimits floor) : floor_(floor) {}

  // True if it may change what is asked for.
  bool on_hello(const protocol::ConsumerHello& hello, Nanos now) noexcept;
  // Of those who said so at `since` or later; empty if nobody did.
  [[nodiscard]] std::optional<ProgressLimits> tightest(Nanos since) const noexcept;

 private:
  static constexpr std::size_t most_consumers = 64;
  struct Wish {
    std::uint32_t consumer_id = 0;
    Nanos said_at = 0;
    std::optional<ProgressLimits> limits;  // empty: this place is free
  };
  [[nodiscard]] Wish& place_of(std::uint32_t consumer_id) noexcept;
  [[nodiscard]] ProgressLimits limits_of(const protocol::ConsumerHello& hello) const noexcept;

  ProgressLimits floor_;
  std::array<Wish, most_consumers> wishes_{};
};

}  // namespace tensorpool::detail
