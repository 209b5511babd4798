#include "apps/tp/config_keys.hpp"

#include <fmt/format.h>

#include "apps/config/schema.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::apps::tp {
namespace {

std::string pools_of(const driver::Profile& profile) {
  std::string pools;
  for (const driver::PoolConfig& pool : profile.payload_pools) {
    pools += fmt::format("{}{{ pool_id = {}, stride_bytes = {} }}", pools.empty() ? "" : ", ", pool.pool_id,
                         pool.stride_bytes);
  }
  return "[" + pools + "]";
}

// What is not stated, where its default follows from other keys.
NodeConfig with_defaults(const NodeConfig& config) {
  NodeConfig whole = config;
  driver::DriverTable& driver = whole.driver.driver;
  if (driver.aeron_dir.empty()) {
    driver.aeron_dir = transport::default_aeron_dir();
  }
  driver.announce_channel = config.driver.announce_channel();
  driver.announce_stream_id = config.driver.announce_stream_id();
  whole.driver.shm.allowed_base_dirs = config.driver.allowed_base_dirs();
  whole.driver.policies.epoch_gc_min_age_ns = config.driver.epoch_gc_min_age_ns();
  if (const driver::Profile* profile = config.driver.default_profile()) {
    whole.driver.policies.default_profile = profile->name;
  }
  return whole;
}

}  // namespace

std::vector<KeyAndValue> driver_keys(const NodeConfig& config) {
  NodeConfig bound = with_defaults(config);  // a schema is bound to what it could change
  std::vector<KeyAndValue> keys;
  for (const FixedTable& table : schema_of(bound).fixed) {
    if (table.name != "driver" && table.name != "shm" && table.name != "policies") {
      continue;
    }
    for (const Field& field : table.fields) {
      keys.emplace_back(table.name + "." + field.key, field.show());
    }
  }
  for (const driver::Profile& profile : config.driver.profiles) {
    const std::string name = "profiles." + profile.name;
    keys.emplace_back(name + ".header_nslots", std::to_string(profile.header_nslots));
    keys.emplace_back(name + ".header_slot_bytes", std::to_string(profile.header_slot_bytes));
    keys.emplace_back(name + ".max_dims", std::to_string(profile.max_dims));
    keys.emplace_back(name + ".payload_pools", pools_of(profile));
  }
  for (const driver::StaticStream& stream : config.driver.streams) {
    const std::string name = "streams." + stream.name;
    keys.emplace_back(name + ".stream_id", std::to_string(stream.stream_id));
    keys.emplace_back(name + ".profile", "\"" + stream.profile + "\"");
  }
  return keys;
}

}  // namespace tensorpool::apps::tp
