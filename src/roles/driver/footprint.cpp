// What a configuration asks of the file system, said before anybody attaches.
#include <fmt/format.h>

#include <iterator>
#include <limits>

#include "roles/driver/config.hpp"

namespace tensorpool::driver {

namespace {

constexpr std::uint64_t superblock_bytes = 64;
constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) noexcept {
  return a > unlimited - b ? unlimited : a + b;
}

// 32-bit factors, so the product and the rounding cannot overflow.
std::uint64_t file_bytes(std::uint32_t nslots, std::uint32_t slot_bytes, std::uint32_t page_bytes) noexcept {
  const std::uint64_t bytes = superblock_bytes + std::uint64_t{nslots} * slot_bytes;
  const std::uint64_t page = page_bytes == 0 ? 1 : page_bytes;
  return (bytes + page - 1) / page * page;
}

}  // namespace

std::uint64_t epoch_bytes(const Profile& profile, std::uint32_t page_size_bytes) noexcept {
  std::uint64_t bytes = file_bytes(profile.header_nslots, profile.header_slot_bytes, page_size_bytes);
  for (const PoolConfig& pool : profile.payload_pools) {
    bytes = saturating_add(bytes, file_bytes(profile.header_nslots, pool.stride_bytes, page_size_bytes));
  }
  return bytes;
}

std::uint64_t idle_epoch_bytes(const Profile& profile, std::uint32_t page_size_bytes) noexcept {
  return saturating_add(file_bytes(profile.header_nslots, profile.header_slot_bytes, page_size_bytes),
                        std::uint64_t{page_size_bytes} * profile.payload_pools.size());
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
