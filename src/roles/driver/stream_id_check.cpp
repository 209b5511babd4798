// Which stream ids a configuration takes, and that no two of its uses meet.
#include "roles/driver/stream_id_check.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace tensorpool::driver {

namespace {

constexpr std::uint32_t max_aeron_stream_id = 0x7FFFFFFF;  // Aeron's ids are signed

struct NamedId {
  std::string key;
  std::uint32_t id = 0;
  std::string channel;
};

struct NamedRange {
  std::string key;
  StreamIdRange range;
};

// The ids that the driver's own Aeron streams occupy.
std::vector<NamedId> reserved_ids(const DriverConfig& config) {
  const DriverTable& driver = config.driver;
  std::vector<NamedId> ids{{"driver.control_stream_id", driver.control_stream_id, driver.control_channel},
                           {"driver.descriptor_stream_id", driver.descriptor_stream_id, driver.descriptor_channel},
                           {"driver.metadata_stream_id", driver.metadata_stream_id, driver.metadata_channel},
                           {"driver.qos_stream_id", driver.qos_stream_id, driver.qos_channel}};
  if (driver.announce_stream_id) {  // else the control stream's
    ids.push_back({"driver.announce_stream_id", *driver.announce_stream_id,
                   driver.announce_channel.empty() ? driver.control_channel : driver.announce_channel});
  }
  return ids;
}

void check_reserved_ids(const DriverConfig& config, std::vector<std::string>& errors) {
  for (const NamedId& reserved : reserved_ids(config)) {
    if (reserved.id == 0 || reserved.id > max_aeron_stream_id) {
      errors.push_back(
          fmt::format("{} is {}; an Aeron stream id is 1 to {}", reserved.key, reserved.id, max_aeron_stream_id));
    }
  }
}

// Announces may share the control stream, by the specification's default. All else works too, but every reader then
// also receives what it does not want: a consumer of descriptors every QoS message, and the other way round.
void warn_of_shared_ids(const DriverConfig& config, std::vector<std::string>& warnings) {
  const std::vector<NamedId> ids = reserved_ids(config);
  const auto carries_control = [](const NamedId& one) {
    return one.key == "driver.control_stream_id" || one.key == "driver.announce_stream_id";
  };
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (ids[i].id != ids[j].id || ids[i].channel != ids[j].channel) continue;
      if (carries_control(ids[i]) && carries_control(ids[j])) continue;
      warnings.push_back(
          fmt::format("{} and {} are both {} on {}: each reader receives the messages of both; give them different ids",
                      ids[j].key, ids[i].key, ids[i].id, ids[i].channel));
    }
  }
}

std::vector<NamedRange> configured_ranges(const DriverConfig& config) {
  std::vector<NamedRange> ranges;
  const auto add = [&ranges](const char* key, const std::optional<StreamIdRange>& range) {
    if (range) {
      ranges.push_back({key, *range});
    }
  };
  add("driver.stream_id_range", config.driver.stream_id_range);
  add("driver.descriptor_stream_id_range", config.driver.descriptor_stream_id_range);
  add("driver.control_stream_id_range", config.driver.control_stream_id_range);
  return ranges;
}

void check_range(const NamedRange& candidate, const DriverConfig& config, std::vector<std::string>& errors) {
  const auto& [key, range] = candidate;
  const std::string text = to_string(range);
  if (range.first > range.last) {
    errors.push_back(fmt::format("{} is {}; its first id must not be above its last", key, text));
    return;
  }
  if (range.first == 0 || range.last > max_aeron_stream_id) {
    errors.push_back(fmt::format("{} is {}; ids must lie in 1 to {}", key, text, max_aeron_stream_id));
  }
  for (const NamedId& reserved : reserved_ids(config)) {
    if (range.contains(reserved.id)) {
      errors.push_back(fmt::format("{} {} contains {} = {}; move one of them", key, text, reserved.key, reserved.id));
    }
  }
  for (const StaticStream& stream : config.streams) {
    if (range.contains(stream.stream_id)) {
      errors.push_back(fmt::format("{} {} contains streams.{}.stream_id = {}; move one of them", key, text, stream.name,
                                   stream.stream_id));
    }
  }
}

// spec: driver §11
void check_ranges(const DriverConfig& config, std::vector<std::string>& errors) {
  const std::vector<NamedRange> ranges = configured_ranges(config);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    check_range(ranges[i], config, errors);
    for (std::size_t j = 0; j < i; ++j) {
      if (ranges[i].range.overlaps(ranges[j].range)) {
        errors.push_back(fmt::format("{} {} overlaps {} {}; separate them", ranges[j].key, to_string(ranges[j].range),
                                     ranges[i].key, to_string(ranges[i].range)));
      }
    }
  }
}

}  // namespace

void check_stream_ids(const DriverConfig& config, std::vector<std::string>& errors,
                      std::vector<std::string>& warnings) {
  check_reserved_ids(config, errors);
  warn_of_shared_ids(config, warnings);
  check_ranges(config, errors);
}

}  // namespace tensorpool::driver
