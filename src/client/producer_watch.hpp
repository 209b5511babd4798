// ProducerWatch: which producer writes the stream of a consumer that has a driver, and how the last one ended. It takes
// the driver's announces and revokes; a plain class. The conductor's thread.
//
// An end is reported once both messages came: the revoke has the reason, the announce of the next epoch proves the
// revoke. A revoke that the announces contradict is dropped, since anybody may send one. Where one of the two does not
// come for two periods, the other is reported alone: the driver may have ended in between.
#pragma once

#include <cstdint>
#include <optional>

#include "protocol/messages.hpp"
#include "tensorpool/client.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::detail {

class ProducerWatch {
 public:
  struct End {
    std::uint32_t producer_id = 0;
    std::uint64_t epoch = 0;
    EndReason reason = EndReason::unknown;
  };

  explicit ProducerWatch(Nanos announce_period_ns) noexcept : patience_ns_(2 * announce_period_ns) {}

  // REQUIRES: the messages are of the consumer's stream, announces fresh and of the driver whose regions it uses.
  void on(const protocol::ShmPoolAnnounce& announce, Nanos now) noexcept;
  void on(const protocol::ShmLeaseRevoked& revoked, Nanos now) noexcept;
  // The consumer was granted a lease on `epoch`: nothing is known of its producer yet.
  void begin(std::uint64_t epoch) noexcept;

  // An end that can be reported now.
  [[nodiscard]] std::optional<End> take_end(Nanos now) noexcept;
  // The producer that was announced last; 0: the stream has none; nothing: not announced yet.
  [[nodiscard]] std::optional<std::uint32_t> producer_id() const noexcept { return producer_; }

 private:
  struct Pending {
    End end;
    Nanos since = 0;
    bool revoked = false;    // the reason is known
    bool announced = false;  // the next epoch is
  };

  Nanos patience_ns_;
  std::optional<std::uint32_t> producer_;
  std::uint64_t epoch_ = 0;
  std::optional<Pending> pending_;
};

}  // namespace tensorpool::detail
