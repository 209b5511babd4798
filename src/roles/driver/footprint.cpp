// What a configuration asks of the file system, said before anybody attaches.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>

#include "roles/driver/pool_specs.hpp"
#include "tensorpool/driver_config.hpp"

namespace tensorpool::driver {

namespace {

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) noexcept {
  constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();
  return a > unlimited - b ? unlimited : a + b;
}

std::uint64_t bytes_of(const Profile& profile, std::uint32_t page_size_bytes, bool pools_reserved) {
  shm::RegionSpec spec;
  spec.nslots = profile.header_nslots;
  spec.pools = pool_specs(profile);
  spec.pools_reserved = pools_reserved;
  return shm::bytes_to_reserve(spec, std::max(page_size_bytes, 1U));
}

}  // namespace

std::vector<shm::PoolSpec> pool_specs(const Profile& profile) {
  std::vector<shm::PoolSpec> specs;
  for (const PoolConfig& pool : profile.payload_pools) {
    specs.push_back({pool.pool_id, pool.stride_bytes});
  }
  return specs;
}

std::uint64_t epoch_bytes(const Profile& profile, std::uint32_t page_size_bytes) {
  return bytes_of(profile, page_size_bytes, true);
}

std::uint64_t idle_epoch_bytes(const Profile& profile, std::uint32_t page_size_bytes) {
  return bytes_of(profile, page_size_bytes, false);
}

Footprint footprint(const DriverConfig& config) {
  Footprint result;
  for (const StaticStream& stream : config.streams) {
    const Profile* const profile = config.find_profile(stream.profile);
    const std::uint64_t bytes = profile == nullptr ? 0 : epoch_bytes(*profile, config.shm.page_size_bytes);
    result.streams.push_back({stream.name, stream.stream_id, bytes});
    result.total_bytes = saturating_add(result.total_bytes, bytes);
  }
  return result;
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024.0 && unit + 1 < std::size(units)) {
    value /= 1024.0;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.2f} {}", value, units[unit]);
}

std::vector<std::string> describe(const Footprint& footprint, const DriverConfig& config, std::uint64_t free_bytes) {
  std::vector<std::string> lines;
  for (const StreamFootprint& stream : footprint.streams) {
    lines.push_back(fmt::format("stream {} ({}) takes {} while a producer is attached", stream.stream_id, stream.name,
                                format_bytes(stream.bytes)));
  }
  const bool fits = footprint.total_bytes <= free_bytes;
  lines.push_back(
      fmt::format("all {} streams together take {}; {} has {} free{}", footprint.streams.size(),
                  format_bytes(footprint.total_bytes), config.shm.base_dir, format_bytes(free_bytes),
                  fits ? ""
                       : ": not all of them can be attached at once, an attach that does not fit is refused "
                         "(lower profiles.<name>.header_nslots or the strides, or give the file system more)"));
  return lines;
}

}  // namespace tensorpool::driver
