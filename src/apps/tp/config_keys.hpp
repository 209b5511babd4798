// `tp driver validate --keys`: what every key of a driver's tables comes to, from the file, the environment, the
// options and the defaults together.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "apps/config/node_config.hpp"

namespace tensorpool::apps::tp {

// A key with its table, and its value as TOML.
using KeyAndValue = std::pair<std::string, std::string>;
[[nodiscard]] std::vector<KeyAndValue> driver_keys(const NodeConfig& config);

}  // namespace tensorpool::apps::tp
