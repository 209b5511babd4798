// What becomes of messages: lost, doubled, held back and released later in another order. It hears every announce as it
// is sent, so the order of epochs is checked here (I3).
#pragma once

#include <map>
#include <set>

#include "protocol/codec.hpp"
#include "simulation/stage.hpp"
#include "transport/loopback/faults.hpp"

namespace tensorpool::simulation {

class MessageWeather {
 public:
  explicit MessageWeather(Stage& stage);
  MessageWeather(const MessageWeather&) = delete;
  MessageWeather& operator=(const MessageWeather&) = delete;
  ~MessageWeather();

  // Some of what is held arrives.
  void turn();
  // From here on every message arrives once, and what was held is lost.
  void calm_down() noexcept { calm_ = true; }

 private:
  transport::loopback::Fate fate_of(std::int32_t stream_id, std::span<const std::byte> message);
  void check(const protocol::ShmPoolAnnounce& announce);

  Stage& stage_;
  bool calm_ = false;
  std::map<std::uint32_t, std::uint64_t> announced_;                            // the newest epoch of each stream
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint32_t> producers_;  // of an epoch
};

}  // namespace tensorpool::simulation
