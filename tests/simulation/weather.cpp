#include "simulation/weather.hpp"

#include "protocol/dispatch.hpp"

namespace tensorpool::simulation {

using transport::loopback::Fate;

MessageWeather::MessageWeather(Stage& stage) : stage_(stage) {
  transport::loopback::set_fate(stage_.bus, [this](std::int32_t stream_id, std::span<const std::byte> message) {
    return fate_of(stream_id, message);
  });
}

MessageWeather::~MessageWeather() { transport::loopback::set_fate(stage_.bus, {}); }

Fate MessageWeather::fate_of(std::int32_t stream_id, std::span<const std::byte> message) {
  const auto number = static_cast<std::uint32_t>(stream_id);
  const driver::DriverTable& streams = stage_.setup.driver.driver;
  if (number == streams.control_stream_id || number == stage_.setup.driver.announce_stream_id()) {
    const auto announce = protocol::decode<protocol::ShmPoolAnnounce>(message);
    if (announce) check(*announce);
  }
  if (calm_) {
    const bool deaf = stage_.sabotaged(Sabotage::deaf_at_the_end) && number == streams.control_stream_id;
    return deaf ? Fate::drop : Fate::deliver;
  }
  const bool descriptor =
      number == streams.descriptor_stream_id || (number >= own_descriptor_streams && number < own_control_streams);
  const Weather& weather = stage_.setup.weather;
  const std::uint64_t dice = stage_.random.below(100);
  const unsigned drop = descriptor ? weather.descriptor_drop : weather.drop;
  const unsigned duplicate = drop + (descriptor ? weather.descriptor_duplicate : weather.duplicate);
  const unsigned hold = duplicate + (descriptor ? weather.descriptor_hold : weather.hold);
  if (dice < drop) return Fate::drop;
  if (dice < duplicate) return Fate::duplicate;
  return dice < hold ? Fate::hold : Fate::deliver;
}

// Over all of the driver's lives, and of a standalone producer's.
void MessageWeather::check(const protocol::ShmPoolAnnounce& announce) {
  const std::uint32_t stream_id = announce.stream_id;
  std::uint64_t& newest = announced_[stream_id];
  if (announce.epoch < newest) {
    stage_.journal.violated("I3", "stream {} is announced with epoch {} after {}", stream_id, announce.epoch, newest);
  }
  if (announce.epoch > newest) {
    ++stage_.figures.epochs;
    stage_.journal.note("stream {} epoch {} is announced", stream_id, announce.epoch);
  }
  newest = announce.epoch;
  if (announce.producer_id == 0) return;
  const auto [known, fresh] = producers_.emplace(std::pair(stream_id, announce.epoch), announce.producer_id);
  if (!fresh && known->second != announce.producer_id) {
    stage_.journal.violated("I4", "stream {} epoch {} is announced with producer {} and with {}", stream_id,
                            announce.epoch, known->second, announce.producer_id);
  }
}

void MessageWeather::turn() {
  const std::size_t held = transport::loopback::held_messages(stage_.bus);
  if (calm_ || held == 0) return;
  for (auto arrivals = stage_.random.below(std::min<std::size_t>(held, 8) + 1); arrivals > 0; --arrivals) {
    transport::loopback::release_held(stage_.bus, stage_.random.below(held));
  }
}

}  // namespace tensorpool::simulation
