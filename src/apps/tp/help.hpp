// `tp help` and `tp version`: what --help and --version say, and the commands with their options for programs.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "apps/flow/stats_json.hpp"

namespace tensorpool::apps::tp {

// Each command at and below `app`, whose name is the last word of `path`: its description, its arguments and options.
// docs/tp.md is held against it.
[[nodiscard]] Json describe_commands(const CLI::App& app, const std::string& path);

}  // namespace tensorpool::apps::tp
