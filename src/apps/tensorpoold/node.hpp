// A node: the roles that one configuration file describes, side by side on one thread.
#pragma once

#include <string>
#include <vector>

#include "apps/config/node_config.hpp"
#include "base/log.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::apps {

// The names of all roles that a node can run, in the order in which they start.
[[nodiscard]] std::vector<std::string> known_roles();

// The roles to run, in that order: those `wanted`, else those whose tables the file has. The error says which tables
// make a role run.
[[nodiscard]] Result<std::vector<std::string>> roles_of(const NodeConfig& config,
                                                        const std::vector<std::string>& wanted);

// Returns when all roles have ended: after a stop signal, or because one of them ended. The error is the first one's
// that could not start or go on, by its name; then the others have been ended.
[[nodiscard]] Status run_node(const NodeConfig& config, const std::vector<std::string>& roles, const LogSink& sink);

}  // namespace tensorpool::apps
