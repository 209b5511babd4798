// PolicyDesk: which consumer is to be told what. It hears hellos, QoS, keepalives and the ConsumerConfigs of others,
// and says what to send; a plain class without a connection. It assigns no streams: it repeats those that the driver
// granted to a consumer that asks for its own, since a ConsumerConfig always states them.
//
// A consumer is told at most once per interval, and less and less often while it does otherwise. What all are told
// together is bounded too, so that a flood of made-up hellos makes no flood of answers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "client/sightings.hpp"
#include "protocol/messages.hpp"
#include "tensorpool/supervisor.hpp"

namespace tensorpool::supervisor {

class PolicyDesk {
 public:
  struct Settings {
    std::vector<SupervisorPolicy> policies;
    std::uint32_t stream_id = 0;  // 0 = all
    Nanos config_interval_ns = nanos_per_second;
    Nanos forget_after_ns = 30 * nanos_per_second;  // a consumer that is silent
    std::size_t max_consumers = 4096;
    std::uint32_t configs_per_second = 100;
  };

  explicit PolicyDesk(Settings settings);

  void on(const protocol::ConsumerHello& hello, Nanos now);
  void on(const protocol::QosConsumer& qos, Nanos now);
  void on(const protocol::ShmLeaseKeepalive& keepalive, Nanos now);
  void on(const protocol::ShmLeaseRevoked& revoked, Nanos now);
  void on(const protocol::ConsumerConfig& config, Nanos now);
  // Forgets who is silent; call it now and then.
  void check(Nanos now);

  // Calls send(config) -> bool for at most `limit` configs that are due, until one does not go out. Returns how many
  // went out. `ignored` is called with (stream, consumer) of one that does otherwise for the fifth time.
  using Send = std::function<bool(const protocol::ConsumerConfig&)>;
  using Ignored = std::function<void(std::uint32_t stream_id, std::uint32_t consumer_id)>;
  int work(Nanos now, int limit, const Send& send, const Ignored& ignored);

  [[nodiscard]] const SupervisorStats& stats() const noexcept { return stats_; }

 private:
  struct Consumer : detail::Sighting {
    const SupervisorPolicy* policy = nullptr;
    bool greeted = false;  // said hello, so that it is known what it can
    bool rate_limited = false;
    bool tells_qos = false;  // then QoS says what mode it is in, and the hello what it wished
    bool supports_shm = false;
    bool asks_own_streams = false;
    Nanos asked_at = 0;         // for streams of its own, since its lease began
    bool answered = false;      // by somebody who grants or declines them
    bool told = false;          // in this life
    bool contradicted = false;  // somebody else told it otherwise since
    int times_told = 0;         // without effect
    Nanos next_at = 0;
    protocol::ConsumerConfig granted;  // of it, the streams
  };
  using Key = std::pair<std::uint32_t, std::uint32_t>;

  [[nodiscard]] const SupervisorPolicy* policy_of(Key key) const;
  [[nodiscard]] static bool is_due(const Consumer& consumer, Nanos now);
  [[nodiscard]] static protocol::ConsumerConfig config_for(Key key, const Consumer& consumer);
  int tell(bool confirmed, Nanos now, int limit, const Send& send, const Ignored& ignored);
  void told(Consumer& consumer, Key key, Nanos now, const Ignored& ignored);
  [[nodiscard]] bool may_tell(Nanos now);

  const Settings settings_;
  detail::Sightings<Consumer> consumers_;
  Nanos second_since_ = 0;
  std::uint32_t told_this_second_ = 0;
  SupervisorStats stats_;
};

}  // namespace tensorpool::supervisor
