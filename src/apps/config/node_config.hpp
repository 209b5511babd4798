// The configuration of a node: one file with the tables of every role, and the environment over it. A role reads its
// own tables and ignores those of the others, but a key that nobody knows is an error wherever it stands.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "apps/config/environment.hpp"
#include "apps/config/report.hpp"
#include "apps/config/settings.hpp"
#include "tensorpool/driver_config.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::apps {

struct NodeConfig {
  driver::DriverConfig driver;
  ProducerSettings producer;
  ConsumerSettings consumer;
  SupervisorSettings supervisor;

  std::string file;                     // empty: no file, defaults and environment alone
  std::map<std::string, Site> sources;  // where each key that was set came from, by its dotted name
  std::vector<std::string> warnings;    // with their places: keys that were set and have no effect yet

  // Set by the file or by the environment.
  [[nodiscard]] bool is_set(std::string_view key) const { return sources.contains(std::string(key)); }
  [[nodiscard]] bool is_from_environment(std::string_view key) const;
  // True if any key of `[table]` or `[table.<name>]` is set.
  [[nodiscard]] bool has_table(std::string_view table) const;
};

// Reads `path` (empty: none) and applies the environment. The error lists every problem, one line each:
// "<file>:<line>: <key>: <why, and what is allowed>".
[[nodiscard]] Result<NodeConfig> load_node_config(const std::string& path, const Environment& environment);

// Judges the driver's tables as a whole (driver::check); an error that names a key is given its file and line.
[[nodiscard]] Status check_driver(const NodeConfig& config, std::vector<std::string>& warnings);

// `message`, preceded by the place of the key that it names.
[[nodiscard]] std::string with_place(const NodeConfig& config, const std::string& message);

}  // namespace tensorpool::apps
