#include "client/grant.hpp"

#include <algorithm>
#include <string>

#include "base/error.hpp"
#include "base/log.hpp"
#include "protocol/constants.hpp"
#include "protocol/region_uri.hpp"
#include "protocol/shm_layout.hpp"

namespace tensorpool::detail {
namespace {

// A lease longer than this is in another clock (a driver that stamps wall-clock time), or nonsense.
constexpr Nanos longest_lease_ns = 3600 * nanos_per_second;

// The fields that a response and an announce have in common.
struct Geometry {
  std::uint32_t stream_id;
  std::uint64_t epoch;
  std::uint32_t layout_version;
  std::uint32_t nslots;
  std::uint16_t slot_bytes;
};

template <class... Args>
Error broken(fmt::format_string<Args...> text, Args&&... args) {
  return make_error(ErrorCode::protocol_error, text, std::forward<Args>(args)...);
}

Result<std::string> path_of(const std::string& uri, std::string_view region, bool& hugepages) {
  auto parsed = protocol::parse_region_uri(uri);
  if (!parsed) return broken("{} has the region URI \"{}\": {}", region, escape(uri, 200), parsed.error().message);
  hugepages = hugepages || parsed->require_hugepages.value_or(false);
  return std::move(parsed->path);
}

Status check(const Geometry& geometry) {
  if (geometry.stream_id == 0) return broken("stream id 0");
  if (geometry.layout_version != protocol::layout_version) {
    return broken("layout version {}, this build speaks {}", geometry.layout_version, protocol::layout_version);
  }
  if (geometry.slot_bytes != protocol::header_slot_bytes) {
    return broken("header slots of {} bytes instead of {}", geometry.slot_bytes, protocol::header_slot_bytes);
  }
  if (!protocol::is_valid_nslots(geometry.nslots)) return broken("{} slots, which is no power of two", geometry.nslots);
  return {};
}

Status add_pool(const protocol::PayloadPool& pool, shm::RegionLayout& layout) {
  if (pool.pool_nslots != layout.nslots) {
    return broken("pool {} has {} slots, the header ring {}", pool.pool_id, pool.pool_nslots, layout.nslots);
  }
  if (!protocol::is_valid_stride(pool.stride_bytes)) {
    return broken("pool {} has a stride of {} bytes, which is no multiple of 64", pool.pool_id, pool.stride_bytes);
  }
  const bool repeated = std::any_of(layout.pools.begin(), layout.pools.end(),
                                    [&](const shm::PoolLayout& other) { return other.pool_id == pool.pool_id; });
  if (repeated) return broken("pool {} is listed twice", pool.pool_id);
  auto path = path_of(pool.region_uri, fmt::format("pool {}", pool.pool_id), layout.require_hugepages);
  if (!path) return path.error();
  layout.pools.push_back({pool.pool_id, pool.stride_bytes, *std::move(path)});
  return {};
}

Result<shm::RegionLayout> layout_of(const Geometry& geometry, const std::vector<protocol::PayloadPool>& pools,
                                    const std::string& header_uri) {
  if (auto good = check(geometry); !good) return good.error();
  if (pools.empty()) return broken("no payload pool");
  if (pools.size() > shm::max_pools) return broken("{} payload pools, more than {}", pools.size(), shm::max_pools);
  shm::RegionLayout layout;
  layout.stream_id = geometry.stream_id;
  layout.epoch = geometry.epoch;
  layout.layout_version = geometry.layout_version;
  layout.nslots = geometry.nslots;
  auto path = path_of(header_uri, "the header ring", layout.require_hugepages);
  if (!path) return path.error();
  layout.header_path = *std::move(path);
  for (const auto& pool : pools) {
    if (auto added = add_pool(pool, layout); !added) return added.error();
  }
  return layout;
}

const char* missing_field(const protocol::ShmAttachResponse& response) noexcept {
  if (!response.lease_id) return "leaseId";
  if (!response.stream_id) return "streamId";
  if (!response.epoch) return "epoch";
  if (!response.layout_version) return "layoutVersion";
  if (!response.header_nslots) return "headerNslots";
  if (!response.header_slot_bytes) return "headerSlotBytes";
  return nullptr;
}

// Nothing when the lease had ended before the answer arrived.
std::optional<Nanos> lease_duration(std::optional<std::uint64_t> expiry, Nanos fallback, Nanos now) noexcept {
  if (!expiry || *expiry > static_cast<std::uint64_t>(now + longest_lease_ns)) return fallback;
  const Nanos left = static_cast<Nanos>(*expiry) - now;
  if (left <= 0) return std::nullopt;
  return left;
}

}  // namespace

Result<Grant> grant_from(const protocol::ShmAttachResponse& response, const Expectation& expected, Nanos now) {
  if (const char* field = missing_field(response)) return broken("the attach response lacks {}", field);
  if (expected.stream_id != 0 && *response.stream_id != expected.stream_id) {
    return broken("the attach response is for stream {}, asked was stream {}", *response.stream_id, expected.stream_id);
  }
  if (expected.layout_version != 0 && *response.layout_version != expected.layout_version) {
    return broken("layout version {}, asked was {}", *response.layout_version, expected.layout_version);
  }
  const auto duration = lease_duration(response.lease_expiry_timestamp_ns, expected.default_lease_ns, now);
  if (!duration) return broken("the lease had expired when the attach response arrived");
  auto layout = layout_of({*response.stream_id, *response.epoch, *response.layout_version, *response.header_nslots,
                           *response.header_slot_bytes},
                          response.payload_pools, response.header_region_uri);
  if (!layout) return broken("attach response: {}", layout.error().message);
  return Grant{*response.lease_id, *duration, response.node_id, *std::move(layout)};
}

Result<shm::RegionLayout> layout_from(const protocol::ShmPoolAnnounce& announce) {
  auto layout = layout_of(
      {announce.stream_id, announce.epoch, announce.layout_version, announce.header_nslots, announce.header_slot_bytes},
      announce.payload_pools, announce.header_region_uri);
  if (!layout) return broken("announce of stream {}: {}", announce.stream_id, layout.error().message);
  return layout;
}

bool is_fresh(const protocol::ShmPoolAnnounce& announce, Nanos window_ns, Nanos listening_since, Nanos now,
              Nanos realtime) noexcept {
  const bool monotonic = announce.announce_clock_domain == protocol::ClockDomain::monotonic;
  const auto clock = static_cast<std::uint64_t>(monotonic ? now : realtime);
  const std::uint64_t stamp = announce.announce_timestamp_ns;
  const auto window = static_cast<std::uint64_t>(window_ns);
  if (stamp > clock + window) return false;  // from the future: a forgery, or another boot's clock
  if (stamp < clock && clock - stamp > window) return false;
  return !monotonic || stamp >= static_cast<std::uint64_t>(listening_since);
}

}  // namespace tensorpool::detail
