// The schema: every table and key of every role, bound to the members of one NodeConfig.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/config/field.hpp"
#include "apps/config/node_config.hpp"

namespace tensorpool::apps {

// [name] with fixed keys; the only kind that environment variables reach.
struct FixedTable {
  std::string name;
  std::vector<Field> fields;
};

// [name.<entry>] for any number of entries with the same keys. `entry` adds one and binds its keys, which hold until
// the next one is added.
struct NamedTables {
  std::string name;
  std::function<std::vector<Field>(const std::string& entry)> entry;
};

struct Schema {
  std::vector<FixedTable> fixed;
  std::vector<NamedTables> named;
};

// REQUIRES: `config` outlives the schema.
[[nodiscard]] Schema schema_of(NodeConfig& config);

// "DRIVER_CONTROL_STREAM_ID" for driver.control_stream_id.
[[nodiscard]] std::string variable_of(std::string_view table, std::string_view key);

}  // namespace tensorpool::apps
