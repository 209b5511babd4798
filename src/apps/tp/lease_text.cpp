// Attaches and detaches for people and programs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apps/tp/lease_requests.hpp"
#include "base/log.hpp"

namespace tensorpool::apps::tp {
namespace {

double expires_in_s(const Attached& attached, Nanos now) {
  const auto expiry = static_cast<Nanos>(attached.response.lease_expiry_timestamp_ns.value_or(0));
  return expiry == 0 ? static_cast<double>(attached.grant.lease_duration_ns) / 1e9
                     : static_cast<double>(expiry - now) / 1e9;
}

}  // namespace

std::string describe(const Attached& attached, Nanos now) {
  const protocol::ShmAttachResponse& response = attached.response;
  std::vector<std::string> lines{
      fmt::format("correlation_id={}", response.correlation_id),
      fmt::format("code={}", protocol::to_string(response.code)),
      fmt::format("lease_id={}", attached.grant.lease_id),
      fmt::format("client_id={}", attached.client_id),
      fmt::format("role={}", protocol::to_string(attached.role)),
      fmt::format("stream_id={}", *response.stream_id),
      fmt::format("epoch={}", *response.epoch),
      fmt::format("node_id={}", response.node_id ? std::to_string(*response.node_id) : "none"),
      fmt::format("lease_expiry_ns={}", response.lease_expiry_timestamp_ns.value_or(0)),
      fmt::format("expires_in_s={:.3f}", expires_in_s(attached, now)),
      fmt::format("layout_version={}", *response.layout_version),
      fmt::format("header_nslots={}", *response.header_nslots),
      fmt::format("header_slot_bytes={}", *response.header_slot_bytes),
      fmt::format("header_region_uri={}", escape(response.header_region_uri, 4096)),
      fmt::format("payload_pools={}", response.payload_pools.size())};
  for (const protocol::PayloadPool& pool : response.payload_pools) {
    lines.push_back(fmt::format("pool_id={} stride_bytes={} pool_nslots={} uri={}", pool.pool_id, pool.stride_bytes,
                                pool.pool_nslots, escape(pool.region_uri, 4096)));
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

Json to_json(const Attached& attached, Nanos now) {
  const protocol::ShmAttachResponse& response = attached.response;
  Json pools = Json::array();
  for (const protocol::PayloadPool& pool : response.payload_pools) {
    pools.push_back({{"pool_id", pool.pool_id},
                     {"nslots", pool.pool_nslots},
                     {"stride_bytes", pool.stride_bytes},
                     {"region_uri", escape(pool.region_uri, 4096)}});
  }
  return {{"code", protocol::to_string(response.code)},
          {"lease_id", std::to_string(attached.grant.lease_id)},
          {"client_id", attached.client_id},
          {"role", protocol::to_string(attached.role)},
          {"stream_id", *response.stream_id},
          {"epoch", std::to_string(*response.epoch)},
          {"node_id", response.node_id ? Json(*response.node_id) : Json(nullptr)},
          {"lease_expiry_ns", std::to_string(response.lease_expiry_timestamp_ns.value_or(0))},
          {"expires_in_s", expires_in_s(attached, now)},
          {"layout_version", *response.layout_version},
          {"header_nslots", *response.header_nslots},
          {"header_slot_bytes", *response.header_slot_bytes},
          {"header_region_uri", escape(response.header_region_uri, 4096)},
          {"payload_pools", std::move(pools)}};
}

std::string describe(const protocol::ShmDetachResponse& response) {
  return fmt::format("correlation_id={}\ncode={}", response.correlation_id, protocol::to_string(response.code));
}

Json to_json(const protocol::ShmDetachResponse& response) { return {{"code", protocol::to_string(response.code)}}; }

}  // namespace tensorpool::apps::tp
