// check(): what cannot work is refused before anything is opened, in words that name the key and the way out. It goes
// on after a fault, so that a person corrects a file once.
#include <algorithm>
#include <bit>
#include <set>
#include <string>

#include "base/error.hpp"
#include "protocol/region_uri.hpp"
#include "protocol/shm_layout.hpp"
#include "roles/driver/stream_id_check.hpp"
#include "tensorpool/driver_config.hpp"

namespace tensorpool::driver {

namespace {

constexpr std::uint32_t null_u32 = 0xFFFFFFFF;  // the wire's null
constexpr std::size_t max_namespace_length = 128;

// One line each.
struct Findings {
  std::vector<std::string> errors;
  std::vector<std::string>& warnings;

  template <class... Args>
  void refuse(fmt::format_string<Args...> text, Args&&... args) {
    errors.push_back(fmt::format(text, std::forward<Args>(args)...));
  }
};

void check_channels(const DriverConfig& config, Findings& found) {
  const std::pair<const char*, const std::string*> channels[] = {
      {"driver.control_channel", &config.driver.control_channel},
      {"driver.announce_channel", &config.driver.announce_channel},
      {"driver.descriptor_channel", &config.driver.descriptor_channel},
      {"driver.metadata_channel", &config.driver.metadata_channel},
      {"driver.qos_channel", &config.driver.qos_channel}};
  for (const auto& [key, channel] : channels) {
    const bool defaulted = channel == &config.driver.announce_channel && channel->empty();
    if (!defaulted && !channel->starts_with("aeron:")) {
      found.refuse("{} is \"{}\"; it must be an Aeron channel such as \"aeron:ipc\"", key, *channel);
    }
  }
}

void check_driver(const DriverConfig& config, Findings& found) {
  if (config.driver.instance_id.empty()) {
    found.refuse("driver.instance_id is empty; give the driver a name, for example \"driver-01\"");
  }
  const std::string& mode = config.driver.media_driver;
  if (mode != "auto" && mode != "embedded" && mode != "external") {
    found.refuse("driver.media_driver is \"{}\"; it must be \"auto\", \"embedded\" or \"external\"", mode);
  }
  check_channels(config, found);
}

bool is_namespace_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

void check_namespace(const std::string& name, Findings& found) {
  const bool good =
      !name.empty() && name.size() <= max_namespace_length && std::ranges::all_of(name, is_namespace_char);
  if (!good) {
    found.refuse("shm.namespace is \"{}\"; it must be 1 to {} of the characters A-Z a-z 0-9 _ -", name,
                 max_namespace_length);
  }
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

void check_directories(const DriverConfig& config, Findings& found) {
  const std::string& base = config.shm.base_dir;
  const Status base_is_path = protocol::check_region_path(without_trailing_slash(base));
  if (!base_is_path) {
    found.refuse("shm.base_dir is \"{}\"; it must be an absolute path without \"..\", for example \"/dev/shm\" ({})",
                 base, base_is_path.error().message);
  }
  bool allowed = !base_is_path;  // one fault, one line: allowed_base_dirs is [base_dir] by default
  for (const std::string& dir : config.shm.allowed_base_dirs.value_or(std::vector<std::string>{})) {
    if (Status status = protocol::check_region_path(without_trailing_slash(dir)); !status) {
      found.refuse("shm.allowed_base_dirs has \"{}\"; each must be an absolute path without \"..\" ({})", dir,
                   status.error().message);
    }
    allowed = allowed || is_below(base, dir);
  }
  if (config.shm.allowed_base_dirs && !allowed) {
    found.refuse("shm.base_dir \"{}\" is not below any of shm.allowed_base_dirs; add it there", base);
  }
}

void check_permissions_mode(const std::string& text, Findings& found) {
  const auto mode = parse_permissions_mode(text);
  if (!mode) {
    found.errors.push_back(mode.error().message);
  } else if ((*mode & 0600U) != 0600U || (*mode & 0113U) != 0) {
    found.refuse(
        "shm.permissions_mode is \"{}\"; the owner must read and write, nobody may execute, and others may not "
        "write: for example \"660\", \"640\" or \"600\"",
        text);
  }
}

void check_shm(const DriverConfig& config, Findings& found) {
  const ShmTable& shm = config.shm;
  check_namespace(shm.name_space, found);
  check_directories(config, found);
  check_permissions_mode(shm.permissions_mode, found);
  if (!std::has_single_bit(shm.page_size_bytes) || shm.page_size_bytes < 4096) {
    found.refuse("shm.page_size_bytes is {}; it must be a power of two of at least 4096", shm.page_size_bytes);
  }
  if (shm.reserve != "full" && shm.reserve != "on_touch") {
    found.refuse("shm.reserve is \"{}\"; it must be \"full\" or \"on_touch\"", shm.reserve);
  }
  if (shm.reserve == "on_touch") {
    found.warnings.emplace_back(
        "shm.reserve is \"on_touch\": a producer or consumer dies of SIGBUS when the file system fills; "
        "use \"full\" except on a developer's machine");
  }
}

void check_range_of(const char* key, std::uint64_t value, std::uint64_t most, Findings& found) {
  if (value == 0) {
    found.refuse("{} is 0; it must be at least 1", key);
  } else if (value > most) {
    found.refuse("{} is {}; it must be at most {}", key, value, most);
  }
}

void check_periods(const PoliciesTable& policies, Findings& found) {
  constexpr std::uint64_t any = null_u32;
  constexpr std::uint64_t max_grace = 100'000;  // keeps every product far inside 64 bits
  check_range_of("policies.announce_period_ms", policies.announce_period_ms, any, found);
  check_range_of("policies.lease_keepalive_interval_ms", policies.lease_keepalive_interval_ms, any, found);
  check_range_of("policies.lease_expiry_grace_intervals", policies.lease_expiry_grace_intervals, max_grace, found);
  check_range_of("policies.epoch_gc_keep", policies.epoch_gc_keep, any, found);
}

// No keys, but an embedding program may set them: 0 would mean "none", or none remembered and so no bound.
void check_limits(const DriverLimits& limits, Findings& found) {
  constexpr std::uint64_t most = 1'000'000;  // a bound that holds nothing back protects nothing
  check_range_of("limits.leases", limits.leases, most, found);
  check_range_of("limits.pending_attaches", limits.pending_attaches, most, found);
  check_range_of("limits.remembered_answers", limits.remembered_answers, most, found);
  check_range_of("limits.dynamic_streams", limits.dynamic_streams, most, found);
  check_range_of("limits.outbox_messages", limits.outbox_messages, most, found);
}

std::string profile_names(const DriverConfig& config) {
  std::string names;
  for (const Profile& profile : config.profiles) {
    names += (names.empty() ? "" : ", ") + profile.name;
  }
  return names;
}

// Without any profile every reference would be one more line about the same fault.
void check_profile_references(const DriverConfig& config, Findings& found) {
  if (!config.profiles.empty() && config.default_profile() == nullptr) {
    found.refuse("policies.default_profile is \"{}\", which is not among the profiles: {}",
                 config.policies.default_profile, profile_names(config));
  }
  for (const ProfileRule& rule : config.policies.profile_rules) {
    if (rule.stream_id_range.first > rule.stream_id_range.last) {
      found.refuse("policies.profile_rules has the range {}; its first id must not be above its last",
                   to_string(rule.stream_id_range));
    }
    if (!config.profiles.empty() && config.find_profile(rule.profile) == nullptr) {
      found.refuse("policies.profile_rules names the profile \"{}\", which is not among: {}", rule.profile,
                   profile_names(config));
    }
  }
}

void check_policies(const DriverConfig& config, Findings& found) {
  const PoliciesTable& policies = config.policies;
  if (policies.reuse_existing_shm) {
    found.refuse(
        "policies.reuse_existing_shm is true; it must be false: in a file used twice a stalled writer of the old "
        "epoch corrupts the new one, so every epoch gets new files");
  }
  check_periods(policies, found);
  if (policies.allow_dynamic_streams && !config.driver.stream_id_range) {
    found.warnings.emplace_back(
        "policies.allow_dynamic_streams is true but driver.stream_id_range is empty: every request for a "
        "dynamic stream will be refused; set a range such as \"20000-29999\"");
  }
  if (!policies.allow_dynamic_streams && config.driver.stream_id_range) {
    found.warnings.emplace_back("driver.stream_id_range has no effect while policies.allow_dynamic_streams is false");
  }
  if (!policies.shutdown_token.empty()) {
    found.warnings.emplace_back(
        "policies.shutdown_token is set: whoever subscribes to the control stream can read the token when "
        "it is used, and stop later drivers with it");
  }
  check_profile_references(config, found);
}

void check_pools(const Profile& profile, Findings& found) {
  std::set<std::uint16_t> ids;
  for (const PoolConfig& pool : profile.payload_pools) {
    if (!ids.insert(pool.pool_id).second) {
      found.refuse("profiles.{}.payload_pools has pool_id {} twice; ids must be unique", profile.name, pool.pool_id);
    }
    if (pool.stride_bytes == 0 || pool.stride_bytes % 64 != 0) {
      found.refuse(
          "profiles.{}.payload_pools: stride_bytes of pool {} is {}; it must be a multiple of 64, for example {}",
          profile.name, pool.pool_id, pool.stride_bytes,
          pool.stride_bytes > null_u32 - 63 ? null_u32 / 64 * 64 : (pool.stride_bytes / 64 + 1) * 64);
    } else if (!std::has_single_bit(pool.stride_bytes)) {
      found.warnings.push_back(
          fmt::format("profiles.{}.payload_pools: stride_bytes {} of pool {} is not a power of two; a Julia "
                      "client (AeronTensorPool.jl) would refuse it",
                      profile.name, pool.stride_bytes, pool.pool_id));
    }
  }
}

void check_profile(const Profile& profile, Findings& found) {
  if (!std::has_single_bit(profile.header_nslots)) {
    found.refuse("profiles.{}.header_nslots is {}; it must be a power of two, for example {}", profile.name,
                 profile.header_nslots, std::bit_floor(std::max(profile.header_nslots, 1U)));
  }
  if (profile.header_slot_bytes != protocol::header_slot_bytes) {
    found.refuse("profiles.{}.header_slot_bytes is {}; it must be {}", profile.name, profile.header_slot_bytes,
                 protocol::header_slot_bytes);
  }
  if (profile.max_dims == 0 || profile.max_dims > 8) {
    found.refuse("profiles.{}.max_dims is {}; it must be 1 to 8", profile.name, profile.max_dims);
  }
  if (profile.payload_pools.empty()) {
    found.refuse("profiles.{}.payload_pools is empty; a profile needs at least one pool", profile.name);
  }
  check_pools(profile, found);
}

void check_profiles(const DriverConfig& config, Findings& found) {
  if (config.profiles.empty()) {
    found.refuse("there is no [profiles.<name>] table; define at least one with payload_pools");
  }
  std::set<std::string> names;
  for (const Profile& profile : config.profiles) {
    if (!names.insert(profile.name).second) {
      found.refuse("profiles.{} is defined twice", profile.name);
    }
    check_profile(profile, found);
  }
}

void check_streams(const DriverConfig& config, Findings& found) {
  std::set<std::uint32_t> ids;
  for (const StaticStream& stream : config.streams) {
    if (stream.stream_id == 0 || stream.stream_id == null_u32) {
      found.refuse("streams.{}.stream_id is {}; it must be 1 to {}", stream.name, stream.stream_id, null_u32 - 1);
    }
    if (!ids.insert(stream.stream_id).second) {
      found.refuse("streams.{}.stream_id {} belongs to another stream as well; ids must be unique", stream.name,
                   stream.stream_id);
    }
    if (!config.profiles.empty() && config.find_profile(stream.profile) == nullptr) {
      found.refuse("streams.{}.profile is \"{}\", which is not among the profiles: {}", stream.name, stream.profile,
                   profile_names(config));
    }
  }
  if (config.streams.empty() && !config.policies.allow_dynamic_streams) {
    found.warnings.emplace_back(
        "no [streams.<name>] table and policies.allow_dynamic_streams is false: nobody can attach");
  }
}

}  // namespace

Status check(const DriverConfig& config, std::vector<std::string>& warnings) {
  Findings found{{}, warnings};
  check_driver(config, found);
  check_shm(config, found);
  check_profiles(config, found);
  check_streams(config, found);
  check_policies(config, found);
  check_limits(config.limits, found);
  check_stream_ids(config, found.errors, found.warnings);
  if (found.errors.empty()) {
    return {};
  }
  return make_error(ErrorCode::invalid_config, "{}", fmt::join(found.errors, "\n"));
}

}  // namespace tensorpool::driver
