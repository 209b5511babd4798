// ConsumerStreams: descriptor and control streams of a consumer's own, from the configured ranges (wire §10.1.3, driver
// §11). Only the holder of a consumer lease gets any; they are freed with the lease.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "protocol/messages.hpp"
#include "roles/driver/leases.hpp"
#include "tensorpool/driver_config.hpp"

namespace tensorpool::driver {

class ConsumerStreams {
 public:
  // REQUIRES: config outlives this.
  explicit ConsumerStreams(const DriverConfig& config);

  // The answer to a hello that asks for streams of its own; nothing for one that does not. What cannot be had is
  // declined: id 0 and an empty channel, and the consumer stays on the shared stream. Asking again gets the same ids.
  [[nodiscard]] std::optional<protocol::ConsumerConfig> on(const protocol::ConsumerHello& hello, const Lease& holder);
  // Whether the answer may be said: everybody hears it, so a lease has a few of them each announce period.
  [[nodiscard]] bool may_answer(std::uint64_t lease_id, Nanos now);
  void lease_ended(std::uint64_t lease_id);

 private:
  struct Grant {
    std::uint32_t descriptor_id = 0;  // 0: none
    std::uint32_t control_id = 0;
    Nanos counted_since = 0;
    std::uint32_t answers = 0;  // since then
  };
  // The free ids of one range; allocation goes round, so that an id just freed rests.
  struct IdPool {
    std::optional<StreamIdRange> range;
    std::set<std::uint32_t> used;
    std::uint32_t next = 0;

    [[nodiscard]] std::uint32_t take(std::uint32_t wish);  // 0: none left
  };

  const DriverConfig* config_;
  IdPool descriptor_ids_;
  IdPool control_ids_;
  std::map<std::uint64_t, Grant> grants_;  // by lease id
};

}  // namespace tensorpool::driver
