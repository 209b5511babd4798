#include "tensorpool/driver_config.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/error.hpp"

namespace tensorpool::driver {

namespace {

bool parse_id(std::string_view text, std::uint32_t& id) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  return error == std::errc{} && stop == end && !text.empty();
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

Result<StreamIdRange> parse_stream_id_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const std::string_view first = trim(text.substr(0, dash));
  const std::string_view last = dash == std::string_view::npos ? first : trim(text.substr(dash + 1));
  StreamIdRange range;
  if (!parse_id(first, range.first) || !parse_id(last, range.last)) {
    return make_error(ErrorCode::invalid_config, "\"{}\" is not a range of stream ids; write \"20000-29999\"", text);
  }
  if (range.first > range.last) {
    return make_error(ErrorCode::invalid_config, "the range {} starts above its end", text);
  }
  return range;
}

std::string to_string(const StreamIdRange& range) { return fmt::format("{}-{}", range.first, range.last); }

Result<std::uint32_t> parse_permissions_mode(std::string_view octal) {
  std::uint32_t mode = 0;
  const char* const end = octal.data() + octal.size();
  const auto [stop, error] = std::from_chars(octal.data(), end, mode, 8);
  if (error != std::errc{} || stop != end || octal.empty() || mode > 0777) {
    return make_error(ErrorCode::invalid_config,
                      "shm.permissions_mode is \"{}\"; it must be an octal file mode such as \"660\" or \"600\"",
                      octal);
  }
  return mode;
}

const std::string& DriverConfig::announce_channel() const noexcept {
  return driver.announce_channel.empty() ? driver.control_channel : driver.announce_channel;
}

std::uint32_t DriverConfig::announce_stream_id() const noexcept {
  return driver.announce_stream_id.value_or(driver.control_stream_id);
}

std::vector<std::string> DriverConfig::allowed_base_dirs() const {
  return shm.allowed_base_dirs ? *shm.allowed_base_dirs : std::vector<std::string>{shm.base_dir};
}

Nanos DriverConfig::announce_period_ns() const noexcept { return Nanos{policies.announce_period_ms} * nanos_per_milli; }

Nanos DriverConfig::keepalive_interval_ns() const noexcept {
  return Nanos{policies.lease_keepalive_interval_ms} * nanos_per_milli;
}

Nanos DriverConfig::lease_duration_ns() const noexcept {
  return keepalive_interval_ns() * Nanos{policies.lease_expiry_grace_intervals};
}

Nanos DriverConfig::epoch_gc_min_age_ns() const noexcept {
  constexpr auto longest = static_cast<std::uint64_t>(std::numeric_limits<Nanos>::max());
  if (policies.epoch_gc_min_age_ns) {
    return static_cast<Nanos>(std::min(*policies.epoch_gc_min_age_ns, longest));
  }
  return 3 * announce_period_ns();
}

const Profile* DriverConfig::find_profile(std::string_view name) const noexcept {
  for (const Profile& profile : profiles) {
    if (profile.name == name) {
      return &profile;
    }
  }
  return nullptr;
}

const Profile* DriverConfig::default_profile() const noexcept {
  if (policies.default_profile.empty()) {
    return profiles.empty() ? nullptr : &profiles.front();
  }
  return find_profile(policies.default_profile);
}

}  // namespace tensorpool::driver
