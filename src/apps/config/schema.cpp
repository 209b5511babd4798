#include "apps/config/schema.hpp"

#include <fmt/format.h>

#include <cctype>

namespace tensorpool::apps {
namespace {

using driver::PoolConfig;
using driver::ProfileRule;
using driver::StreamIdRange;

constexpr std::int64_t max_aeron_stream = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t max_stream_id = std::numeric_limits<std::uint32_t>::max() - 1;  // the highest is the wire's null
constexpr std::int64_t longest_ms = 3'600'000;
constexpr std::int64_t longest_ns = 3600 * nanos_per_second;
constexpr std::int64_t longest_silence_ns = std::int64_t{365} * 24 * longest_ns;
constexpr const char* range_expected = "a range such as \"20000-29999\" or [20000, 29999], or \"\" for none";

template <class T>
Field aeron_stream(std::string key, T& target) {
  return integer(std::move(key), target, 1, max_aeron_stream);
}

Field stream_id(std::string key, std::uint32_t& target, std::int64_t least) {
  return integer(std::move(key), target, least, max_stream_id);
}

// A key whose default follows from another one.
template <class T>
Field optional_integer(std::string key, std::optional<T>& target, std::int64_t least, std::int64_t most) {
  return custom<std::int64_t>(
      std::move(key), integer_expected(least, most),
      [least, most](const Value& value) {
        const std::optional<std::int64_t> found = to_integer(value);
        return found && *found >= least && *found <= most ? found : std::nullopt;
      },
      [&target](std::int64_t value) { target = static_cast<T>(value); },
      [&target] { return target ? std::to_string(*target) : std::string(); });
}

Field optional_texts(std::string key, std::optional<std::vector<std::string>>& target) {
  return custom<std::vector<std::string>>(
      std::move(key), "a list of texts such as [\"a\", \"b\"]", to_texts,
      [&target](std::vector<std::string> value) { target = std::move(value); },
      [&target] { return target ? show_texts(*target) : std::string(); });
}

Field optional_range(std::string key, std::optional<StreamIdRange>& target) {
  return custom<IdRange>(
      std::move(key), range_expected, to_range,
      [&target](IdRange range) {
        target = range.off ? std::nullopt : std::optional(StreamIdRange{range.first, range.last});
      },
      [&target] { return target ? show_text(to_string(*target)) : std::string("\"\""); });
}

Field range(std::string key, StreamIdRange& target) {
  return custom<IdRange>(
      std::move(key), "a range such as \"20000-29999\" or [20000, 29999]",
      [](const Value& value) {
        const std::optional<IdRange> found = to_range(value);
        return found && !found->off ? found : std::nullopt;
      },
      [&target](IdRange found) {
        target = {found.first, found.last};
      },
      [&target] { return show_text(to_string(target)); });
}

Field required(Field field) {
  field.required = true;
  return field;
}

Field no_effect(Field field) {
  field.without_effect = true;
  return field;
}

std::vector<Field> pool_fields(PoolConfig& pool) {
  return {required(integer("pool_id", pool.pool_id, 0, 65534)),
          required(integer("stride_bytes", pool.stride_bytes, 1, std::numeric_limits<std::uint32_t>::max() - 1))};
}

std::vector<Field> rule_fields(ProfileRule& rule) {
  return {required(range("stream_id_range", rule.stream_id_range)), required(text("profile", rule.profile))};
}

std::vector<Field> producer_pool_fields(ProducerPool& pool) {
  return {required(integer("pool_id", pool.pool_id, 0, 65534)), text("uri", pool.uri),
          required(integer("stride_bytes", pool.stride_bytes, 1, std::numeric_limits<std::uint32_t>::max() - 1)),
          integer("nslots", pool.nslots, 1)};
}

FixedTable driver_table(driver::DriverTable& driver) {
  return {
      "driver",
      {text("instance_id", driver.instance_id), text("aeron_dir", driver.aeron_dir),
       text("control_channel", driver.control_channel), aeron_stream("control_stream_id", driver.control_stream_id),
       text("announce_channel", driver.announce_channel),
       optional_integer("announce_stream_id", driver.announce_stream_id, 1, max_aeron_stream),
       text("descriptor_channel", driver.descriptor_channel),
       aeron_stream("descriptor_stream_id", driver.descriptor_stream_id),
       text("metadata_channel", driver.metadata_channel), aeron_stream("metadata_stream_id", driver.metadata_stream_id),
       text("qos_channel", driver.qos_channel), aeron_stream("qos_stream_id", driver.qos_stream_id),
       choice("media_driver", driver.media_driver, {"auto", "embedded", "external"}),
       optional_range("stream_id_range", driver.stream_id_range),
       optional_range("descriptor_stream_id_range", driver.descriptor_stream_id_range),
       optional_range("control_stream_id_range", driver.control_stream_id_range)}};
}

FixedTable shm_table(driver::ShmTable& shm) {
  return {"shm",
          {text("base_dir", shm.base_dir), text("namespace", shm.name_space), text("user", shm.user),
           boolean("require_hugepages", shm.require_hugepages),
           integer("page_size_bytes", shm.page_size_bytes, 4096, 1 << 30),
           text("permissions_mode", shm.permissions_mode), optional_texts("allowed_base_dirs", shm.allowed_base_dirs),
           choice("reserve", shm.reserve, {"full", "on_touch"})}};
}

FixedTable policies_table(driver::PoliciesTable& policies) {
  return {"policies",
          {boolean("allow_dynamic_streams", policies.allow_dynamic_streams),
           text("default_profile", policies.default_profile),
           tables<ProfileRule>("profile_rules", policies.profile_rules, rule_fields),
           integer("announce_period_ms", policies.announce_period_ms, 10, longest_ms),
           integer("lease_keepalive_interval_ms", policies.lease_keepalive_interval_ms, 10, longest_ms),
           integer("lease_expiry_grace_intervals", policies.lease_expiry_grace_intervals, 1, 1000),
           boolean("prefault_shm", policies.prefault_shm), boolean("mlock_shm", policies.mlock_shm),
           boolean("reuse_existing_shm", policies.reuse_existing_shm),
           boolean("cleanup_shm_on_exit", policies.cleanup_shm_on_exit),
           boolean("unique_client_ids", policies.unique_client_ids),
           boolean("epoch_gc_enabled", policies.epoch_gc_enabled), integer("epoch_gc_keep", policies.epoch_gc_keep, 1),
           optional_integer("epoch_gc_min_age_ns", policies.epoch_gc_min_age_ns, 0, most_of<std::int64_t>),
           boolean("epoch_gc_on_startup", policies.epoch_gc_on_startup),
           integer("shutdown_timeout_ms", policies.shutdown_timeout_ms, 0, longest_ms),
           secret("shutdown_token", policies.shutdown_token),
           integer("node_id_reuse_cooldown_ms", policies.node_id_reuse_cooldown_ms, 0, longest_ms)}};
}

NamedTables profile_tables(std::vector<driver::Profile>& profiles) {
  return {"profiles", [&profiles](const std::string& name) -> std::vector<Field> {
            driver::Profile& profile = profiles.emplace_back();
            profile.name = name;
            return {integer("header_nslots", profile.header_nslots, 1),
                    integer("header_slot_bytes", profile.header_slot_bytes, 1),
                    integer("max_dims", profile.max_dims, 1, 8),
                    tables<PoolConfig>("payload_pools", profile.payload_pools, pool_fields)};
          }};
}

NamedTables stream_tables(std::vector<driver::StaticStream>& streams) {
  return {"streams", [&streams](const std::string& name) -> std::vector<Field> {
            driver::StaticStream& stream = streams.emplace_back();
            stream.name = name;
            return {required(stream_id("stream_id", stream.stream_id, 1)), required(text("profile", stream.profile))};
          }};
}

// The keys that producers and consumers share.
template <class Settings>
std::vector<Field> aeron_fields(Settings& settings) {
  return {text("aeron_dir", settings.aeron_dir),
          text("aeron_uri", settings.aeron_uri),
          aeron_stream("descriptor_stream_id", settings.descriptor_stream_id),
          aeron_stream("control_stream_id", settings.control_stream_id),
          aeron_stream("qos_stream_id", settings.qos_stream_id),
          aeron_stream("metadata_stream_id", settings.metadata_stream_id),
          stream_id("stream_id", settings.stream_id, 0)};
}

FixedTable producer_table(ProducerSettings& producer) {
  FixedTable table{"producer", aeron_fields(producer)};
  for (Field& field : std::vector<Field>{
           integer("producer_id", producer.producer_id), integer("layout_version", producer.layout_version),
           integer("nslots", producer.nslots, 1), text("shm_base_dir", producer.shm_base_dir),
           text("shm_namespace", producer.shm_namespace), text("producer_instance_id", producer.producer_instance_id),
           text("header_uri", producer.header_uri), integer("max_dims", producer.max_dims, 1, 8),
           integer("announce_interval_ns", producer.announce_interval_ns, nanos_per_milli, longest_ns),
           integer("qos_interval_ns", producer.qos_interval_ns, nanos_per_milli, longest_ns),
           integer("progress_interval_ns", producer.progress_interval_ns, 0, longest_ns),
           integer("progress_bytes_delta", producer.progress_bytes_delta),
           integer("no_frames_timeout_ns", producer.no_frames_timeout_ns, 0, longest_silence_ns),
           tables<ProducerPool>("payload_pools", producer.payload_pools, producer_pool_fields)}) {
    table.fields.push_back(std::move(field));
  }
  return table;
}

FixedTable consumer_table(ConsumerSettings& consumer) {
  FixedTable table{"consumer", aeron_fields(consumer)};
  for (Field& field :
       std::vector<Field>{integer("consumer_id", consumer.consumer_id),
                          integer("expected_layout_version", consumer.expected_layout_version),
                          no_effect(integer("max_dims", consumer.max_dims, 1, 8)),
                          choice("mode", consumer.mode, {"STREAM", "RATE_LIMITED"}),
                          boolean("own_streams", consumer.own_streams),
                          integer("decimation", consumer.decimation, 1),
                          integer("max_outstanding_seq_gap", consumer.max_outstanding_seq_gap),
                          boolean("use_shm", consumer.use_shm),
                          boolean("supports_shm", consumer.supports_shm),
                          boolean("supports_progress", consumer.supports_progress),
                          rate_hz("max_rate_hz", consumer.max_rate_hz),
                          no_effect(text("payload_fallback_uri", consumer.payload_fallback_uri)),
                          text("shm_base_dir", consumer.shm_base_dir),
                          texts("allowed_base_dirs", consumer.allowed_base_dirs),
                          boolean("require_hugepages", consumer.require_hugepages),
                          integer("progress_interval_us", consumer.progress_interval_us),
                          integer("progress_bytes_delta", consumer.progress_bytes_delta),
                          integer("progress_rows_delta", consumer.progress_rows_delta),
                          integer("hello_interval_ns", consumer.hello_interval_ns, nanos_per_milli, longest_ns),
                          integer("qos_interval_ns", consumer.qos_interval_ns, nanos_per_milli, longest_ns),
                          integer("no_frames_timeout_ns", consumer.no_frames_timeout_ns, 0, longest_silence_ns)}) {
    table.fields.push_back(std::move(field));
  }
  return table;
}

std::vector<Field> policy_fields(SupervisorPolicySettings& policy) {
  return {stream_id("stream_id", policy.stream_id, 0), integer("consumer_id", policy.consumer_id),
          choice("mode", policy.mode, {"STREAM", "RATE_LIMITED"}), boolean("use_shm", policy.use_shm),
          text("payload_fallback_uri", policy.payload_fallback_uri)};
}

std::vector<Field> supervised_stream_fields(SupervisorStreamSettings& stream) {
  return {required(stream_id("stream_id", stream.stream_id, 1)),
          required(integer("no_frames_timeout_ns", stream.no_frames_timeout_ns, 0, longest_silence_ns))};
}

FixedTable supervisor_table(SupervisorSettings& supervisor) {
  return {"supervisor",
          {text("aeron_dir", supervisor.aeron_dir), text("aeron_uri", supervisor.aeron_uri),
           aeron_stream("control_stream_id", supervisor.control_stream_id),
           aeron_stream("qos_stream_id", supervisor.qos_stream_id), stream_id("stream_id", supervisor.stream_id, 0),
           integer("liveness_timeout_ns", supervisor.liveness_timeout_ns, nanos_per_milli, longest_ns),
           integer("liveness_check_interval_ns", supervisor.liveness_check_interval_ns, nanos_per_milli, longest_ns),
           integer("no_frames_timeout_ns", supervisor.no_frames_timeout_ns, 0, longest_silence_ns),
           tables<SupervisorStreamSettings>("streams", supervisor.streams, supervised_stream_fields),
           tables<SupervisorPolicySettings>("policies", supervisor.policies, policy_fields)}};
}

}  // namespace

Schema schema_of(NodeConfig& config) {
  return {{driver_table(config.driver.driver), shm_table(config.driver.shm), policies_table(config.driver.policies),
           producer_table(config.producer), consumer_table(config.consumer), supervisor_table(config.supervisor)},
          {profile_tables(config.driver.profiles), stream_tables(config.driver.streams)}};
}

std::string variable_of(std::string_view table, std::string_view key) {
  std::string name = fmt::format("{}_{}", table, key);
  for (char& c : name) {
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

}  // namespace tensorpool::apps
