#include "apps/tp/driver_sight.hpp"

#include <algorithm>

#include "apps/tp/tool_connection.hpp"
#include "client/counter_facts.hpp"
#include "client/grant.hpp"
#include "protocol/dispatch.hpp"
#include "protocol/lease_label.hpp"
#include "transport/channel_uri.hpp"
#include "transport/counters.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::apps::tp {
namespace {

constexpr std::size_t most_streams = 4096;  // forged announces must not fill our memory
constexpr std::size_t most_leases = 4096;

// Keeps the latest announce of each stream; a log may still hold those of a former driver. One that is stamped ahead of
// its clock must not hide those that follow.
struct Announces {
  std::map<std::uint32_t, protocol::ShmPoolAnnounce>& latest;
  Nanos freshness_ns;

  void on(const protocol::ShmPoolAnnounce& announce) {
    if (!detail::is_fresh(announce, freshness_ns, 0, monotonic_now(), realtime_now()) ||
        (latest.size() >= most_streams && !latest.contains(announce.stream_id))) {
      return;
    }
    protocol::ShmPoolAnnounce& known = latest[announce.stream_id];
    if (announce.announce_clock_domain != known.announce_clock_domain ||
        announce.announce_timestamp_ns >= known.announce_timestamp_ns) {
      known = announce;
    }
  }
};

// "tensorpool 1000, driver driver-01: announces" without what the labels of this control stream begin with
void take_driver_figure(DriverSight& sight, std::string_view label, std::int64_t value) {
  constexpr std::string_view driver = "driver ";
  const std::size_t end = label.rfind(": ");
  if (label.starts_with(driver) && end != std::string_view::npos) {
    sight.instance_id = label.substr(driver.size(), end - driver.size());
    sight.figures.push_back({std::string(label.substr(end + 2)), value});
  }
}

void take_client_figure(DriverSight& sight, const detail::CounterLabel& label, std::int64_t value) {
  auto client = std::find_if(sight.clients.begin(), sight.clients.end(),
                             [&](const ClientSight& one) { return one.owner == label.owner; });
  if (client == sight.clients.end()) {
    client = sight.clients.insert(client, ClientSight{label.owner, {}});
  }
  client->figures.push_back({std::string(label.figure), value});
}

Status take_counters(DriverSight& sight) {
  const Result<std::vector<transport::CounterValue>> counters = transport::read_counters(sight.aeron_dir);
  if (!counters) {
    return counters.error();
  }
  const std::string prefix = transport::counter_label_prefix(sight.control_stream_id);
  for (const transport::CounterValue& counter : *counters) {
    const std::string_view label = counter.label;
    if (counter.type_id < transport::first_own_counter_type || !label.starts_with(prefix)) {
      continue;
    }
    if (counter.type_id < protocol::lease_keepalives_counter_type) {
      take_driver_figure(sight, label.substr(prefix.size()), counter.value);
    } else if (const auto client = detail::parse_counter_label(label)) {
      take_client_figure(sight, *client, counter.value);
    }
  }
  sight.leases = detail::leases_in(*counters, sight.control_stream_id, most_leases);
  return {};
}

}  // namespace

const detail::LeaseFact* DriverSight::lease_of(const detail::CounterOwner& owner) const {
  const auto found = std::find_if(leases.begin(), leases.end(), [&](const detail::LeaseFact& lease) {
    return lease.label.client_id == owner.client_id && lease.label.stream_id == owner.stream_id &&
           lease.label.role == owner.role;
  });
  return found == leases.end() ? nullptr : &*found;
}

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
  sight.control_stream_id = client.control.stream_id;
  const Nanos now = monotonic_now();
  Announces announces{sight.streams, 3 * client.announce_period_ns};
  pump(*connection, now + 2 * client.announce_period_ns, stop, [&] {
    subscription->poll_assembled(
        [&](std::span<const std::byte> bytes) { protocol::dispatch<protocol::ShmPoolAnnounce>(bytes, announces); },
        fragments_per_poll);
    return false;
  });
  (void)take_counters(sight);  // announces alone are something to see
  return sight;
}

Result<DriverSight> look_at_counters(const ClientOptions& client) {
  DriverSight sight;
  sight.aeron_dir = client.aeron_dir.empty() ? transport::default_aeron_dir() : client.aeron_dir;
  sight.control_stream_id = client.control.stream_id;
  const transport::MediaDriverProbe probe = transport::probe_media_driver(sight.aeron_dir);
  if (probe.state != transport::MediaDriverState::alive && probe.state != transport::MediaDriverState::maybe_dead) {
    return Error{ErrorCode::unavailable, probe.detail};
  }
  if (Status taken = take_counters(sight); !taken) {
    return taken.error();
  }
  return sight;
}

}  // namespace tensorpool::apps::tp
