#include "apps/tp/driver_status.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/log.hpp"

namespace tensorpool::apps::tp {
namespace {

using detail::LeaseFact;

constexpr std::size_t longest_uri = 4096;

double seconds_of(Nanos time) { return static_cast<double>(time) / 1e9; }
double age_s(const LeaseFact& lease, Nanos now) {
  return seconds_of(now - static_cast<Nanos>(lease.label.granted_timestamp_ns));
}
double expires_in_s(const LeaseFact& lease, Nanos now) {
  return lease.expires_at == 0 ? 0 : seconds_of(lease.expires_at - now);
}

std::string line_of(const protocol::ShmPoolAnnounce& stream) {
  std::vector<std::string> pools;
  for (const protocol::PayloadPool& pool : stream.payload_pools) {
    pools.push_back(fmt::format("{}:{}", pool.pool_id, pool.stride_bytes));
  }
  return fmt::format("stream {}: epoch {}, {}, {} slots, pools (id:stride) {}", stream.stream_id, stream.epoch,
                     stream.producer_id == 0 ? "no producer" : fmt::format("producer {}", stream.producer_id),
                     stream.header_nslots, fmt::join(pools, " "));
}

std::string line_of(const LeaseFact& lease, Nanos now) {
  return fmt::format("lease {}: stream {} {} {}, {:.1f} s old, expires in {:.1f} s, {} keepalives",
                     lease.label.lease_id, lease.label.stream_id, protocol::to_string(lease.label.role),
                     lease.label.client_id, age_s(lease, now), expires_in_s(lease, now), lease.keepalives);
}

std::string line_of(const ClientSight& client, const LeaseFact* lease) {
  std::vector<std::string> parts;
  parts.push_back(lease == nullptr ? "no lease" : fmt::format("lease {}", lease->label.lease_id));
  for (const Figure& figure : client.figures) {
    if (figure.value != 0) {
      parts.push_back(fmt::format("{} {}", escape(figure.name), figure.value));
    }
  }
  return fmt::format("  {} {}: {}", protocol::to_string(client.owner.role), client.owner.client_id,
                     fmt::join(parts, ", "));
}

// Clients of another make show no counters, but the driver counts their leases.
bool shows_counters(const DriverSight& sight, const LeaseFact& lease) {
  for (const ClientSight& client : sight.clients) {
    if (sight.lease_of(client.owner) == &lease) {
      return true;
    }
  }
  return false;
}

Json json_of(const LeaseFact& lease, Nanos now) {
  return {{"lease_id", std::to_string(lease.label.lease_id)},
          {"stream_id", lease.label.stream_id},
          {"client_id", lease.label.client_id},
          {"role", protocol::to_string(lease.label.role)},
          {"age_s", age_s(lease, now)},
          {"expires_in_s", expires_in_s(lease, now)},
          {"keepalives", lease.keepalives}};
}

Json json_of(const std::vector<Figure>& figures) {
  Json json = Json::object();
  for (const Figure& figure : figures) {
    json[escape(figure.name)] = std::to_string(figure.value);
  }
  return json;
}

Json json_of(const DriverSight& sight, const ClientSight& client) {
  const LeaseFact* const lease = sight.lease_of(client.owner);
  return {{"role", protocol::to_string(client.owner.role)},
          {"client_id", client.owner.client_id},
          {"lease_id", lease == nullptr ? Json(nullptr) : Json(std::to_string(lease->label.lease_id))},
          {"figures", json_of(client.figures)}};
}

Json json_of(const DriverSight& sight, const protocol::ShmPoolAnnounce& stream) {
  Json pools = Json::array();
  for (const protocol::PayloadPool& pool : stream.payload_pools) {
    pools.push_back({{"pool_id", pool.pool_id},
                     {"nslots", pool.pool_nslots},
                     {"stride_bytes", pool.stride_bytes},
                     {"region_uri", escape(pool.region_uri, longest_uri)}});
  }
  Json leases = Json::array();
  for (const LeaseFact& lease : sight.leases) {
    if (lease.label.stream_id == stream.stream_id) {
      leases.push_back(std::to_string(lease.label.lease_id));
    }
  }
  Json clients = Json::array();
  for (const ClientSight& client : sight.clients) {
    if (client.owner.stream_id == stream.stream_id) {
      clients.push_back(json_of(sight, client));
    }
  }
  return {{"stream_id", stream.stream_id},
          {"epoch", std::to_string(stream.epoch)},
          {"producer_id", stream.producer_id},
          {"header_nslots", stream.header_nslots},
          {"header_region_uri", escape(stream.header_region_uri, longest_uri)},
          {"payload_pools", std::move(pools)},
          {"lease_ids", std::move(leases)},
          {"clients", std::move(clients)}};
}

}  // namespace

std::string what_is_missing(const DriverSight& sight, const std::string& instance_id) {
  if (!sight.seen()) {
    return fmt::format(
        "no driver announces itself on control stream {} in {}; is it running, and are the channels and "
        "stream ids right?",
        sight.control_stream_id, sight.aeron_dir);
  }
  if (!instance_id.empty() && sight.instance_id != instance_id) {
    return fmt::format("the driver on control stream {} in {} is called {}, not {}", sight.control_stream_id,
                       sight.aeron_dir, sight.instance_id.empty() ? "nothing" : escape(sight.instance_id), instance_id);
  }
  return {};
}

std::string describe(const DriverSight& sight, Nanos now) {
  std::vector<std::string> lines;
  for (const auto& [id, stream] : sight.streams) {
    lines.push_back(line_of(stream));
  }
  for (const LeaseFact& lease : sight.leases) {
    lines.push_back(line_of(lease, now));
  }
  for (const Figure& figure : sight.figures) {
    lines.push_back(fmt::format("driver {}: {}: {}", escape(sight.instance_id), escape(figure.name), figure.value));
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

std::string describe_leases(const DriverSight& sight, Nanos now) {
  std::vector<std::string> lines;
  for (const LeaseFact& lease : sight.leases) {
    lines.push_back(line_of(lease, now));
  }
  return lines.empty() ? "no leases" : fmt::format("{}", fmt::join(lines, "\n"));
}

std::string describe_streams(const DriverSight& sight, Nanos now) {
  std::vector<std::string> lines;
  for (const auto& [id, stream] : sight.streams) {
    lines.push_back(line_of(stream));
    lines.push_back("  header ring: " + escape(stream.header_region_uri, longest_uri));
    for (const protocol::PayloadPool& pool : stream.payload_pools) {
      lines.push_back(fmt::format("  pool {}: {}", pool.pool_id, escape(pool.region_uri, longest_uri)));
    }
    for (const ClientSight& client : sight.clients) {
      if (client.owner.stream_id == id) {
        lines.push_back(line_of(client, sight.lease_of(client.owner)));
      }
    }
    for (const LeaseFact& lease : sight.leases) {
      if (lease.label.stream_id == id && !shows_counters(sight, lease)) {
        lines.push_back("  " + line_of(lease, now));
      }
    }
  }
  return lines.empty() ? "no streams" : fmt::format("{}", fmt::join(lines, "\n"));
}

Json leases_to_json(const DriverSight& sight, Nanos now) {
  Json leases = Json::array();
  for (const LeaseFact& lease : sight.leases) {
    leases.push_back(json_of(lease, now));
  }
  return leases;
}

Json streams_to_json(const DriverSight& sight) {
  Json streams = Json::array();
  for (const auto& [id, stream] : sight.streams) {
    streams.push_back(json_of(sight, stream));
  }
  return streams;
}

Json to_json(const DriverSight& sight, Nanos now) {
  return {{"aeron_dir", sight.aeron_dir},
          {"control_stream_id", sight.control_stream_id},
          {"instance_id", escape(sight.instance_id)},
          {"streams", streams_to_json(sight)},
          {"leases", leases_to_json(sight, now)},
          {"counters", json_of(sight.figures)}};
}

}  // namespace tensorpool::apps::tp
