#include "apps/tp/driver_status.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apps/tp/tool_connection.hpp"
#include "base/log.hpp"
#include "protocol/dispatch.hpp"
#include "protocol/lease_label.hpp"
#include "roles/driver/driver_counters.hpp"
#include "transport/channel_uri.hpp"

namespace tensorpool::apps::tp {
namespace {

constexpr int fragments_per_poll = 64;

// Keeps the latest announce of each stream; a log may still hold those of a former driver.
struct Announces {
  std::map<std::uint32_t, protocol::ShmPoolAnnounce>& latest;
  Nanos oldest;

  void on(const protocol::ShmPoolAnnounce& announce) {
    const auto time = static_cast<Nanos>(announce.announce_timestamp_ns);
    if (announce.announce_clock_domain == protocol::ClockDomain::monotonic && time < oldest) {
      return;
    }
    protocol::ShmPoolAnnounce& known = latest[announce.stream_id];
    if (announce.announce_timestamp_ns >= known.announce_timestamp_ns) {
      known = announce;
    }
  }
};

bool is_the_drivers(std::int32_t type_id) {
  return type_id >= driver::DriverCounters::first_figure_type && type_id <= protocol::lease_expiry_counter_type;
}

std::vector<std::string> pools_of(const protocol::ShmPoolAnnounce& announce) {
  std::vector<std::string> pools;
  for (const protocol::PayloadPool& pool : announce.payload_pools) {
    pools.push_back(fmt::format("{}:{}", pool.pool_id, pool.stride_bytes));
  }
  return pools;
}

Json to_json(const protocol::ShmPoolAnnounce& announce) {
  Json pools = Json::array();
  for (const protocol::PayloadPool& pool : announce.payload_pools) {
    pools.push_back({{"pool_id", pool.pool_id},
                     {"nslots", pool.pool_nslots},
                     {"stride_bytes", pool.stride_bytes},
                     {"region_uri", escape(pool.region_uri)}});
  }
  return {{"stream_id", announce.stream_id},
          {"epoch", std::to_string(announce.epoch)},
          {"producer_id", announce.producer_id},
          {"header_nslots", announce.header_nslots},
          {"header_region_uri", escape(announce.header_region_uri)},
          {"payload_pools", std::move(pools)}};
}

}  // namespace

Result<DriverSight> look_at_driver(const ClientOptions& client, const std::atomic<bool>& stop) {
  Result<transport::Connection> connection = connect_tool(client);
  if (!connection) {
    return connection.error();
  }
  const ChannelOptions& from = client.announce.stream_id == 0 ? client.control : client.announce;
  const Result<std::string> channel = transport::announce_channel(from.channel);
  if (!channel) {
    return channel.error();
  }
  Result<transport::Subscription> subscription = connection->add_subscription(*channel, from.stream_id);
  if (!subscription) {
    return subscription.error();
  }
  DriverSight sight;
  sight.aeron_dir = connection->aeron_dir();
  const Nanos now = monotonic_now();
  Announces announces{sight.streams, now - 3 * client.announce_period_ns};
  pump(*connection, now + 2 * client.announce_period_ns, stop, [&] {
    subscription->poll_assembled(
        [&](std::span<const std::byte> bytes) { protocol::dispatch<protocol::ShmPoolAnnounce>(bytes, announces); },
        fragments_per_poll);
    return false;
  });
  if (Result<std::vector<transport::CounterValue>> counters = transport::read_counters(sight.aeron_dir)) {
    const std::string prefix = transport::counter_label_prefix(client.control.stream_id);
    for (transport::CounterValue& counter : *counters) {
      if (is_the_drivers(counter.type_id) && counter.label.starts_with(prefix)) {
        counter.label.erase(0, prefix.size());
        sight.counters.push_back(std::move(counter));
      }
    }
  }
  return sight;
}

std::string describe(const DriverSight& sight) {
  if (!sight.seen()) {
    return fmt::format(
        "no driver announces itself in {}; is it running, and are the announce channel and stream id right?",
        sight.aeron_dir);
  }
  std::vector<std::string> lines;
  for (const auto& [id, stream] : sight.streams) {
    lines.push_back(
        fmt::format("stream {}: epoch {}, {}, {} slots, pools (id:stride) {}", id, stream.epoch,
                    stream.producer_id == 0 ? "no producer" : fmt::format("producer {}", stream.producer_id),
                    stream.header_nslots, fmt::join(pools_of(stream), " ")));
  }
  for (const transport::CounterValue& counter : sight.counters) {
    lines.push_back(fmt::format("{}: {}", escape(counter.label), counter.value));
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

Json to_json(const DriverSight& sight) {
  Json streams = Json::array();
  for (const auto& [id, stream] : sight.streams) {
    streams.push_back(to_json(stream));
  }
  Json counters = Json::array();
  for (const transport::CounterValue& counter : sight.counters) {
    counters.push_back(
        {{"type_id", counter.type_id}, {"label", escape(counter.label)}, {"value", std::to_string(counter.value)}});
  }
  return {{"aeron_dir", sight.aeron_dir}, {"streams", std::move(streams)}, {"counters", std::move(counters)}};
}

}  // namespace tensorpool::apps::tp
