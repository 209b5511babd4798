// What a configuration asks of the file system, said before anybody attaches.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
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

std::uint64_t saturating_multiply(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<std::uint64_t>::max() : product;
}

std::uint64_t bytes_of(const Profile& profile, std::uint32_t page_size_bytes, bool pools_reserved) {
  shm::RegionSpec spec;
  spec.nslots = profile.header_nslots;
  spec.pools = pool_specs(profile);
  spec.pools_reserved = pools_reserved;
  return shm::bytes_to_reserve(spec, std::max(page_size_bytes, 1U));
}

struct IdsOfProfile {
  std::uint64_t epoch_bytes = 0;
  std::uint64_t ids = 0;
};

// What is left of `ranges` without `taken`; adds the number of ids that are gone to `count`.
std::vector<StreamIdRange> without(const std::vector<StreamIdRange>& ranges, const StreamIdRange& taken,
                                   std::uint64_t& count) {
  std::vector<StreamIdRange> left;
  for (const StreamIdRange& range : ranges) {
    if (!range.overlaps(taken)) {
      left.push_back(range);
      continue;
    }
    count += StreamIdRange{std::max(range.first, taken.first), std::min(range.last, taken.last)}.size();
    if (range.first < taken.first) left.push_back({range.first, taken.first - 1});
    if (range.last > taken.last) left.push_back({taken.last + 1, range.last});
  }
  return left;
}

// How many ids of the dynamic range have which profile: the first rule that holds an id decides, else the default.
std::vector<IdsOfProfile> dynamic_ids(const DriverConfig& config) {
  std::vector<IdsOfProfile> found;
  std::vector<StreamIdRange> left{*config.driver.stream_id_range};
  const auto take = [&](const Profile* profile, const StreamIdRange& range) {
    std::uint64_t ids = 0;
    left = without(left, range, ids);
    if (profile != nullptr && ids > 0) found.push_back({epoch_bytes(*profile, config.shm.page_size_bytes), ids});
  };
  for (const ProfileRule& rule : config.policies.profile_rules) {
    take(config.find_profile(rule.profile), rule.stream_id_range);
  }
  take(config.default_profile(), *config.driver.stream_id_range);
  return found;
}

void add_dynamic_streams(const DriverConfig& config, Footprint& result) {
  const auto& range = config.driver.stream_id_range;
  if (!config.policies.allow_dynamic_streams || !range || range->first > range->last) return;
  result.dynamic_streams = std::min<std::uint64_t>(range->size(), config.limits.dynamic_streams);
  std::vector<IdsOfProfile> ids = dynamic_ids(config);
  std::ranges::sort(ids, std::ranges::greater(), &IdsOfProfile::epoch_bytes);
  std::uint64_t left = result.dynamic_streams;
  for (const IdsOfProfile& one : ids) {
    const std::uint64_t streams = std::min(left, one.ids);
    result.dynamic_bytes = saturating_add(result.dynamic_bytes, saturating_multiply(streams, one.epoch_bytes));
    left -= streams;
  }
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
  add_dynamic_streams(config, result);
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
  lines.push_back(fmt::format("all {} streams together take {}; {} has {} free", footprint.streams.size(),
                              format_bytes(footprint.total_bytes), config.shm.base_dir, format_bytes(free_bytes)));
  if (footprint.dynamic_streams > 0) {
    lines.push_back(fmt::format("up to {} dynamic streams take up to {} more", footprint.dynamic_streams,
                                format_bytes(footprint.dynamic_bytes)));
  }
  return lines;
}

std::optional<std::string> describe_shortage(const Footprint& footprint, const DriverConfig& config,
                                             std::uint64_t free_bytes, std::string_view limited_by) {
  const std::uint64_t all = saturating_add(footprint.total_bytes, footprint.dynamic_bytes);
  if (all <= free_bytes) return std::nullopt;
  const bool of_dynamic = footprint.total_bytes <= free_bytes;
  return fmt::format(
      "{} streams together take {}, {} has {} free by {}: not all of them can be attached at once, and an attach "
      "that does not fit fails ({}lower profiles.<name>.header_nslots or the strides, or give it more)",
      of_dynamic
          ? fmt::format("the {} configured and up to {} dynamic", footprint.streams.size(), footprint.dynamic_streams)
          : fmt::format("all {} configured", footprint.streams.size()),
      format_bytes(of_dynamic ? all : footprint.total_bytes), config.shm.base_dir, format_bytes(free_bytes), limited_by,
      of_dynamic ? "narrow driver.stream_id_range, " : "");
}

}  // namespace tensorpool::driver
