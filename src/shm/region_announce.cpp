#include "shm/region_announce.hpp"

#include "protocol/region_uri.hpp"
#include "protocol/shm_layout.hpp"

namespace tensorpool::shm {
namespace {

std::string region_uri(const RegionLayout& layout, const std::string& path) {
  protocol::RegionUri uri{path};
  if (layout.require_hugepages) uri.require_hugepages = true;
  return protocol::format_region_uri(uri);
}

}  // namespace

std::string header_uri(const RegionLayout& layout) { return region_uri(layout, layout.header_path); }

std::vector<protocol::PayloadPool> payload_pools(const RegionLayout& layout) {
  std::vector<protocol::PayloadPool> pools;
  pools.reserve(layout.pools.size());
  for (const PoolLayout& pool : layout.pools) {
    pools.push_back({pool.pool_id, layout.nslots, pool.stride_bytes, region_uri(layout, pool.path)});
  }
  return pools;
}

protocol::ShmPoolAnnounce make_announce(const RegionLayout& layout, std::uint32_t producer_id, Nanos now) {
  protocol::ShmPoolAnnounce announce;
  announce.stream_id = layout.stream_id;
  announce.producer_id = producer_id;
  announce.epoch = layout.epoch;
  announce.announce_timestamp_ns = static_cast<std::uint64_t>(now);
  announce.announce_clock_domain = protocol::ClockDomain::monotonic;
  announce.layout_version = layout.layout_version;
  announce.header_nslots = layout.nslots;
  announce.header_slot_bytes = static_cast<std::uint16_t>(protocol::header_slot_bytes);
  announce.payload_pools = payload_pools(layout);
  announce.header_region_uri = header_uri(layout);
  return announce;
}

}  // namespace tensorpool::shm
