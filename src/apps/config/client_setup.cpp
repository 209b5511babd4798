#include "apps/config/client_setup.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

// Beyond the lease itself: the driver's look at it, and the pause between two requests.
constexpr Nanos predecessor_reserve_ns = 2 * nanos_per_second;

// Decides between a key of [driver] in CONFIG and the role's key in DEFAULTS.
class Precedence {
 public:
  Precedence(const NodeConfig& config, const NodeConfig& defaults, std::string role)
      : config_(config), defaults_(defaults), role_(std::move(role)), has_driver_(config.has_table("driver")) {}

  // What the driver uses, stated or not, is what its clients must use.
  [[nodiscard]] bool driver_decides(const char* role_key) const { return has_driver_ && !from_environment(role_key); }

  // For what concerns clients among themselves: only a key that CONFIG states.
  [[nodiscard]] bool driver_states(const char* driver_key, const char* role_key) const {
    return config_.is_set(std::string("driver.") + driver_key) && !from_environment(role_key);
  }

 private:
  [[nodiscard]] bool from_environment(const char* role_key) const {
    return defaults_.is_from_environment(role_ + "." + role_key);
  }

  const NodeConfig& config_;
  const NodeConfig& defaults_;
  std::string role_;
  bool has_driver_;
};

std::int32_t aeron_id(std::uint32_t id) { return static_cast<std::int32_t>(id); }

template <class Settings>
ClientOptions client_options(const NodeConfig& config, const NodeConfig& defaults, const Settings& role,
                             const char* role_name) {
  const Precedence takes(config, defaults, role_name);
  const driver::DriverTable& driver = config.driver.driver;
  ClientOptions out;
  out.aeron_dir =
      takes.driver_states("aeron_dir", "aeron_dir") && !driver.aeron_dir.empty() ? driver.aeron_dir : role.aeron_dir;
  out.control = {role.aeron_uri, role.control_stream_id};
  out.announce = {role.aeron_uri, role.control_stream_id};
  out.qos = {role.aeron_uri, role.qos_stream_id};
  out.descriptor = {role.aeron_uri, role.descriptor_stream_id};
  out.metadata = {role.aeron_uri, role.metadata_stream_id};
  if (takes.driver_decides("aeron_uri")) {
    out.control.channel = driver.control_channel;
    out.announce.channel = config.driver.announce_channel();
    out.qos.channel = driver.qos_channel;
    out.descriptor.channel = driver.descriptor_channel;
    out.metadata.channel = driver.metadata_channel;
  }
  if (takes.driver_decides("control_stream_id")) {
    out.control.stream_id = aeron_id(driver.control_stream_id);
    out.announce.stream_id = aeron_id(config.driver.announce_stream_id());
  }
  if (takes.driver_decides("qos_stream_id")) {
    out.qos.stream_id = aeron_id(driver.qos_stream_id);
  }
  if (takes.driver_states("descriptor_stream_id", "descriptor_stream_id")) {
    out.descriptor.stream_id = aeron_id(driver.descriptor_stream_id);
  }
  if (takes.driver_states("metadata_stream_id", "metadata_stream_id")) {
    out.metadata.stream_id = aeron_id(driver.metadata_stream_id);
  }
  out.allowed_base_dirs = config.driver.allowed_base_dirs();
  out.announce_period_ns = config.driver.announce_period_ns();
  out.predecessor_ns = config.driver.lease_duration_ns() + predecessor_reserve_ns;
  out.qos_interval_ns = role.qos_interval_ns;
  return out;
}

}  // namespace

ClientOptions producer_client_options(const NodeConfig& config, const NodeConfig& defaults) {
  return client_options(config, defaults, defaults.producer, "producer");
}

ClientOptions consumer_client_options(const NodeConfig& config, const NodeConfig& defaults) {
  ClientOptions out = client_options(config, defaults, defaults.consumer, "consumer");
  if (!defaults.consumer.allowed_base_dirs.empty()) {
    out.allowed_base_dirs = defaults.consumer.allowed_base_dirs;
  } else if (!defaults.consumer.shm_base_dir.empty() && !config.has_table("shm")) {
    out.allowed_base_dirs = {defaults.consumer.shm_base_dir};
  }
  return out;
}

ProducerOptions producer_options(const ProducerSettings& settings) {
  ProducerOptions out;
  out.client_id = settings.producer_id;
  out.progress_interval_ns = settings.progress_interval_ns;
  out.progress_bytes_delta = settings.progress_bytes_delta;
  return out;
}

ConsumerOptions consumer_options(const ConsumerSettings& settings) {
  ConsumerOptions out;
  out.client_id = settings.consumer_id;
  out.expected_layout_version = settings.expected_layout_version;
  out.max_outstanding_seq_gap = settings.max_outstanding_seq_gap;
  out.max_rate_hz = settings.max_rate_hz;
  out.mode = settings.mode == "RATE_LIMITED" ? ConsumerMode::rate_limited : ConsumerMode::stream;
  out.decimation = settings.decimation;
  out.own_streams = settings.own_streams;
  out.supports_shm = settings.supports_shm;
  out.use_shm = settings.use_shm;
  out.require_hugepages = settings.require_hugepages;
  out.hello_interval_ns = settings.hello_interval_ns;
  out.no_frames_timeout_ns = settings.no_frames_timeout_ns;
  if (settings.supports_progress) {
    out.progress =
        ProgressHints{settings.progress_interval_us, settings.progress_bytes_delta, settings.progress_rows_delta};
  }
  return out;
}

SupervisorOptions supervisor_options(const NodeConfig& config, const NodeConfig& defaults) {
  // What a supervisor does not ask for, but a client does.
  struct Role : SupervisorSettings {
    std::int32_t descriptor_stream_id = 1100;
    std::int32_t metadata_stream_id = 1300;
    Nanos qos_interval_ns = nanos_per_second;
  };
  SupervisorOptions out;
  out.where = client_options(config, defaults, Role{defaults.supervisor}, "supervisor");
  out.where.name = "supervisor";
  out.stream_id = defaults.supervisor.stream_id;
  out.liveness_timeout_ns = defaults.supervisor.liveness_timeout_ns;
  out.liveness_check_interval_ns = defaults.supervisor.liveness_check_interval_ns;
  out.no_frames_timeout_ns = defaults.supervisor.no_frames_timeout_ns;
  for (const SupervisorStreamSettings& stream : defaults.supervisor.streams) {
    out.no_frames_timeouts.push_back({stream.stream_id, stream.no_frames_timeout_ns});
  }
  for (const SupervisorPolicySettings& policy : defaults.supervisor.policies) {
    out.policies.push_back({policy.stream_id, policy.consumer_id, policy.mode == "RATE_LIMITED", policy.use_shm,
                            policy.payload_fallback_uri});
  }
  return out;
}

Result<std::uint32_t> choose_stream(const NodeConfig& config, std::uint32_t wanted, std::string_view key) {
  if (wanted != 0) {
    return wanted;
  }
  const std::vector<driver::StaticStream>& streams = config.driver.streams;
  if (streams.size() == 1) {
    return streams.front().stream_id;
  }
  if (streams.empty()) {
    return make_error(ErrorCode::invalid_config, "{}no stream is configured; set {}",
                      config.file.empty() ? "" : config.file + ": ", key);
  }
  std::vector<std::string> names;
  for (const driver::StaticStream& stream : streams) {
    names.push_back(fmt::format("{} ({})", stream.stream_id, stream.name));
  }
  return make_error(ErrorCode::invalid_config, "{} has {} streams; choose one with {}: {}", config.file, streams.size(),
                    key, fmt::join(names, ", "));
}

Result<StandaloneOptions> standalone_options(const NodeConfig& config) {
  const ProducerSettings& settings = config.producer;
  const auto refused = [&](std::string_view key, const std::string& why) {
    return make_error(ErrorCode::invalid_config, "{}producer.{}: {}", config.file.empty() ? "" : config.file + ": ",
                      key, why);
  };
  constexpr const char* own_paths =
      "a standalone producer makes new files for each epoch, below shm_base_dir and shm_namespace; leave it empty";
  if (settings.layout_version != 1) return refused("layout_version", "only layout 1 can be made");
  if (settings.max_dims != 8) return refused("max_dims", "a slot header holds 8 dimensions; set 8");
  if (!settings.header_uri.empty()) return refused("header_uri", own_paths);
  if (settings.payload_pools.empty()) {
    return refused("payload_pools",
                   "a standalone producer needs at least one, such as [{ pool_id = 1, stride_bytes = 4194304 }]");
  }
  StandaloneOptions out;
  out.nslots = settings.nslots;
  out.base_dir = settings.shm_base_dir;
  out.name_space = settings.shm_namespace;
  for (const ProducerPool& pool : settings.payload_pools) {
    if (!pool.uri.empty()) return refused("payload_pools.uri", own_paths);
    if (pool.nslots != 0 && pool.nslots != settings.nslots) {
      return refused("payload_pools.nslots",
                     fmt::format("pool {} has {} slots, the header ring {}; they are one number, producer.nslots",
                                 pool.pool_id, pool.nslots, settings.nslots));
    }
    out.pools.push_back({pool.pool_id, pool.stride_bytes});
  }
  return out;
}

void use_standalone(const NodeConfig& config, ClientOptions& options) {
  options.announce_period_ns = config.producer.announce_interval_ns;
}

std::optional<std::uint32_t> first_pool_stride(const NodeConfig& config, std::uint32_t stream_id) {
  for (const driver::StaticStream& stream : config.driver.streams) {
    if (stream.stream_id == stream_id) {
      const driver::Profile* profile =
          stream.profile.empty() ? config.driver.default_profile() : config.driver.find_profile(stream.profile);
      if (profile != nullptr && !profile->payload_pools.empty()) {
        return profile->payload_pools.front().stride_bytes;
      }
    }
  }
  return std::nullopt;
}

}  // namespace tensorpool::apps
