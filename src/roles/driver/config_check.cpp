// check(): what cannot work is refused before anything is opened, in words that name the key and the way out.
#include <algorithm>
#include <bit>
#include <set>
#include <string>

#include "base/error.hpp"
#include "protocol/region_uri.hpp"
#include "roles/driver/config.hpp"

namespace tensorpool::driver {

namespace {

constexpr std::uint32_t max_aeron_stream_id = 0x7FFFFFFF;  // Aeron's ids are signed
constexpr std::uint32_t null_u32 = 0xFFFFFFFF;             // the wire's null
constexpr std::uint32_t wire_slot_bytes = 256;             // wire 1.2 §8: the only header slot size
constexpr std::size_t max_namespace_length = 128;

template <class... Args>
Error refuse(fmt::format_string<Args...> text, Args&&... args) {
  return make_error(ErrorCode::invalid_config, text, std::forward<Args>(args)...);
}

struct NamedId {
  std::string key;
  std::uint32_t id = 0;
};

struct NamedRange {
  std::string key;
  StreamIdRange range;
};

// The ids that the driver's own Aeron streams occupy.
std::vector<NamedId> reserved_ids(const DriverConfig& config) {
  return {{"driver.control_stream_id", config.driver.control_stream_id},
          {"driver.announce_stream_id", config.announce_stream_id()},
          {"driver.descriptor_stream_id", config.driver.descriptor_stream_id},
          {"driver.metadata_stream_id", config.driver.metadata_stream_id},
          {"driver.qos_stream_id", config.driver.qos_stream_id}};
}

Status check_channels(const DriverConfig& config) {
  const std::pair<const char*, const std::string*> channels[] = {
      {"driver.control_channel", &config.driver.control_channel},
      {"driver.announce_channel", &config.announce_channel()},
      {"driver.descriptor_channel", &config.driver.descriptor_channel},
      {"driver.metadata_channel", &config.driver.metadata_channel},
      {"driver.qos_channel", &config.driver.qos_channel}};
  for (const auto& [key, channel] : channels) {
    if (!channel->starts_with("aeron:")) {
      return refuse("{} is \"{}\"; it must be an Aeron channel such as \"aeron:ipc\"", key, *channel);
    }
  }
  for (const NamedId& reserved : reserved_ids(config)) {
    if (reserved.id == 0 || reserved.id > max_aeron_stream_id) {
      return refuse("{} is {}; an Aeron stream id is 1 to {}", reserved.key, reserved.id, max_aeron_stream_id);
    }
  }
  return {};
}

Status check_driver(const DriverConfig& config) {
  if (config.driver.instance_id.empty()) {
    return refuse("driver.instance_id is empty; give the driver a name, for example \"driver-01\"");
  }
  const std::string& mode = config.driver.media_driver;
  if (mode != "auto" && mode != "embedded" && mode != "external") {
    return refuse("driver.media_driver is \"{}\"; it must be \"auto\", \"embedded\" or \"external\"", mode);
  }
  return check_channels(config);
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

Status check_range(const NamedRange& candidate, const DriverConfig& config) {
  const auto& [key, range] = candidate;
  if (range.first > range.last) {
    return refuse("{} is {}; its first id must not be above its last", key, to_string(range));
  }
  if (range.first == 0 || range.last > max_aeron_stream_id) {
    return refuse("{} is {}; ids must lie in 1 to {}", key, to_string(range), max_aeron_stream_id);
  }
  for (const NamedId& reserved : reserved_ids(config)) {
    if (range.contains(reserved.id)) {
      return refuse("{} {} contains {} = {}; move one of them", key, to_string(range), reserved.key, reserved.id);
    }
  }
  for (const StaticStream& stream : config.streams) {
    if (range.contains(stream.stream_id)) {
      return refuse("{} {} contains streams.{}.stream_id = {}; move one of them", key, to_string(range), stream.name,
                    stream.stream_id);
    }
  }
  return {};
}

// spec: driver §11
Status check_ranges(const DriverConfig& config) {
  const std::vector<NamedRange> ranges = configured_ranges(config);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (Status status = check_range(ranges[i], config); !status) {
      return status;
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (ranges[i].range.overlaps(ranges[j].range)) {
        return refuse("{} {} overlaps {} {}; separate them", ranges[j].key, to_string(ranges[j].range), ranges[i].key,
                      to_string(ranges[i].range));
      }
    }
  }
  return {};
}

bool is_namespace_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

Status check_namespace(const std::string& name) {
  bool good = !name.empty() && name.size() <= max_namespace_length;
  for (const char c : name) {
    good = good && is_namespace_char(c);
  }
  if (!good) {
    return refuse("shm.namespace is \"{}\"; it must be 1 to {} of the characters A-Z a-z 0-9 _ -", name,
                  max_namespace_length);
  }
  return {};
}

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') {
    path.pop_back();
  }
  return path;
}

bool is_below(const std::string& path, const std::string& dir) {
  const std::string parent = without_trailing_slash(dir);
  const std::string child = without_trailing_slash(path);
  return child == parent || parent == "/" || child.starts_with(parent + "/");
}

Status check_directories(const DriverConfig& config) {
  const std::string& base = config.shm.base_dir;
  if (Status status = protocol::check_region_path(without_trailing_slash(base)); !status) {
    return refuse("shm.base_dir is \"{}\"; it must be an absolute path without \"..\", for example \"/dev/shm\" ({})",
                  base, status.error().message);
  }
  bool allowed = false;
  for (const std::string& dir : config.allowed_base_dirs()) {
    if (Status status = protocol::check_region_path(without_trailing_slash(dir)); !status) {
      return refuse("shm.allowed_base_dirs has \"{}\"; each must be an absolute path without \"..\" ({})", dir,
                    status.error().message);
    }
    allowed = allowed || is_below(base, dir);
  }
  if (!allowed) {
    return refuse("shm.base_dir \"{}\" is not below any of shm.allowed_base_dirs; add it there", base);
  }
  return {};
}

Status check_shm(const DriverConfig& config, std::vector<std::string>& warnings) {
  const ShmTable& shm = config.shm;
  if (Status status = check_namespace(shm.name_space); !status) {
    return status;
  }
  if (Status status = check_directories(config); !status) {
    return status;
  }
  const auto mode = parse_permissions_mode(shm.permissions_mode);
  if (!mode) {
    return mode.error();
  }
  if ((*mode & 0600U) != 0600U || (*mode & 0113U) != 0) {
    return refuse(
        "shm.permissions_mode is \"{}\"; the owner must read and write, nobody may execute, and others may not "
        "write: for example \"660\", \"640\" or \"600\"",
        shm.permissions_mode);
  }
  if (!std::has_single_bit(shm.page_size_bytes) || shm.page_size_bytes < 4096) {
    return refuse("shm.page_size_bytes is {}; it must be a power of two of at least 4096", shm.page_size_bytes);
  }
  if (shm.reserve != "full" && shm.reserve != "on_touch") {
    return refuse("shm.reserve is \"{}\"; it must be \"full\" or \"on_touch\"", shm.reserve);
  }
  if (shm.reserve == "on_touch") {
    warnings.emplace_back(
        "shm.reserve is \"on_touch\": a producer or consumer dies of SIGBUS when the file system fills; "
        "use \"full\" except on a developer's machine");
  }
  return {};
}

Status check_positive(const char* key, std::uint64_t value) {
  if (value == 0) {
    return refuse("{} is 0; it must be at least 1", key);
  }
  return {};
}

Status check_periods(const PoliciesTable& policies) {
  const std::pair<const char*, std::uint64_t> values[] = {
      {"policies.announce_period_ms", policies.announce_period_ms},
      {"policies.lease_keepalive_interval_ms", policies.lease_keepalive_interval_ms},
      {"policies.lease_expiry_grace_intervals", policies.lease_expiry_grace_intervals},
      {"policies.epoch_gc_keep", policies.epoch_gc_keep}};
  for (const auto& [key, value] : values) {
    if (Status status = check_positive(key, value); !status) {
      return status;
    }
  }
  constexpr std::uint32_t max_grace = 100'000;  // keeps every product far inside 64 bits
  if (policies.lease_expiry_grace_intervals > max_grace) {
    return refuse("policies.lease_expiry_grace_intervals is {}; it must be at most {}",
                  policies.lease_expiry_grace_intervals, max_grace);
  }
  return {};
}

std::string profile_names(const DriverConfig& config) {
  std::string names;
  for (const Profile& profile : config.profiles) {
    names += (names.empty() ? "" : ", ") + profile.name;
  }
  return names;
}

Status check_profile_references(const DriverConfig& config) {
  if (config.default_profile() == nullptr) {
    return refuse("policies.default_profile is \"{}\", which is not among the profiles: {}",
                  config.policies.default_profile, profile_names(config));
  }
  for (const ProfileRule& rule : config.policies.profile_rules) {
    if (rule.stream_id_range.first > rule.stream_id_range.last) {
      return refuse("policies.profile_rules has the range {}; its first id must not be above its last",
                    to_string(rule.stream_id_range));
    }
    if (config.find_profile(rule.profile) == nullptr) {
      return refuse("policies.profile_rules names the profile \"{}\", which is not among: {}", rule.profile,
                    profile_names(config));
    }
  }
  return {};
}

Status check_policies(const DriverConfig& config, std::vector<std::string>& warnings) {
  const PoliciesTable& policies = config.policies;
  if (policies.reuse_existing_shm) {
    return refuse(
        "policies.reuse_existing_shm is true; it must be false: in a file used twice a stalled writer of the old "
        "epoch corrupts the new one, so every epoch gets new files");
  }
  if (Status status = check_periods(policies); !status) {
    return status;
  }
  if (policies.allow_dynamic_streams && !config.driver.stream_id_range) {
    warnings.emplace_back(
        "policies.allow_dynamic_streams is true but driver.stream_id_range is empty: every request for a "
        "dynamic stream will be refused; set a range such as \"20000-29999\"");
  }
  if (!policies.allow_dynamic_streams && config.driver.stream_id_range) {
    warnings.emplace_back("driver.stream_id_range has no effect while policies.allow_dynamic_streams is false");
  }
  if (!policies.shutdown_token.empty()) {
    warnings.emplace_back(
        "policies.shutdown_token is set: whoever subscribes to the control stream can read the token when "
        "it is used, and stop later drivers with it");
  }
  return check_profile_references(config);
}

Status check_pools(const Profile& profile, std::vector<std::string>& warnings) {
  std::set<std::uint16_t> ids;
  for (const PoolConfig& pool : profile.payload_pools) {
    if (!ids.insert(pool.pool_id).second) {
      return refuse("profiles.{}.payload_pools has pool_id {} twice; ids must be unique", profile.name, pool.pool_id);
    }
    if (pool.stride_bytes == 0 || pool.stride_bytes % 64 != 0) {
      return refuse(
          "profiles.{}.payload_pools: stride_bytes of pool {} is {}; it must be a multiple of 64, for example {}",
          profile.name, pool.pool_id, pool.stride_bytes,
          pool.stride_bytes > null_u32 - 63 ? null_u32 / 64 * 64 : (pool.stride_bytes / 64 + 1) * 64);
    }
    if (!std::has_single_bit(pool.stride_bytes)) {
      warnings.push_back(
          fmt::format("profiles.{}.payload_pools: stride_bytes {} of pool {} is not a power of two; a Julia "
                      "client (AeronTensorPool.jl) would refuse it",
                      profile.name, pool.stride_bytes, pool.pool_id));
    }
  }
  return {};
}

Status check_profile(const Profile& profile, std::vector<std::string>& warnings) {
  if (!std::has_single_bit(profile.header_nslots)) {
    return refuse("profiles.{}.header_nslots is {}; it must be a power of two, for example {}", profile.name,
                  profile.header_nslots, std::bit_floor(std::max(profile.header_nslots, 1U)));
  }
  if (profile.header_slot_bytes != wire_slot_bytes) {
    return refuse("profiles.{}.header_slot_bytes is {}; it must be {}", profile.name, profile.header_slot_bytes,
                  wire_slot_bytes);
  }
  if (profile.max_dims == 0 || profile.max_dims > 8) {
    return refuse("profiles.{}.max_dims is {}; it must be 1 to 8", profile.name, profile.max_dims);
  }
  if (profile.payload_pools.empty()) {
    return refuse("profiles.{}.payload_pools is empty; a profile needs at least one pool", profile.name);
  }
  return check_pools(profile, warnings);
}

Status check_profiles(const DriverConfig& config, std::vector<std::string>& warnings) {
  if (config.profiles.empty()) {
    return refuse("there is no [profiles.<name>] table; define at least one with payload_pools");
  }
  std::set<std::string> names;
  for (const Profile& profile : config.profiles) {
    if (!names.insert(profile.name).second) {
      return refuse("profiles.{} is defined twice", profile.name);
    }
    if (Status status = check_profile(profile, warnings); !status) {
      return status;
    }
  }
  return {};
}

Status check_streams(const DriverConfig& config, std::vector<std::string>& warnings) {
  std::set<std::uint32_t> ids;
  for (const StaticStream& stream : config.streams) {
    if (stream.stream_id == 0 || stream.stream_id == null_u32) {
      return refuse("streams.{}.stream_id is {}; it must be 1 to {}", stream.name, stream.stream_id, null_u32 - 1);
    }
    if (!ids.insert(stream.stream_id).second) {
      return refuse("streams.{}.stream_id {} belongs to another stream as well; ids must be unique", stream.name,
                    stream.stream_id);
    }
    if (config.find_profile(stream.profile) == nullptr) {
      return refuse("streams.{}.profile is \"{}\", which is not among the profiles: {}", stream.name, stream.profile,
                    profile_names(config));
    }
  }
  if (config.streams.empty() && !config.policies.allow_dynamic_streams) {
    warnings.emplace_back("no [streams.<name>] table and policies.allow_dynamic_streams is false: nobody can attach");
  }
  return {};
}

}  // namespace

Status check(const DriverConfig& config, std::vector<std::string>& warnings) {
  if (Status status = check_driver(config); !status) {
    return status;
  }
  if (Status status = check_shm(config, warnings); !status) {
    return status;
  }
  if (Status status = check_profiles(config, warnings); !status) {
    return status;
  }
  if (Status status = check_streams(config, warnings); !status) {
    return status;
  }
  if (Status status = check_policies(config, warnings); !status) {
    return status;
  }
  return check_ranges(config);
}

}  // namespace tensorpool::driver
