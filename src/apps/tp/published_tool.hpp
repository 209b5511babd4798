// The command line of the published tool (AeronTensorPool.jl's tp_tool), told in ours: its subcommands with their
// positional arguments, and the TP_* variables that stand for those left out.
#pragma once

#include <string>
#include <vector>

#include "apps/config/environment.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::apps::tp {

// {"driver-detach", "", "aeron:ipc", "1000", ...} to {"tp", "driver", "detach", "--control-channel", "aeron:ipc", ...}.
// An empty argument is one left out; from the first that begins with "--" on, all are passed as they are. Errors: a
// subcommand that nobody knows, or one that tp has no counterpart for, with the reason; too many arguments.
[[nodiscard]] Result<std::vector<std::string>> translate_published(const std::vector<std::string>& given,
                                                                   const Environment& environment);

[[nodiscard]] std::string published_usage();

// Every subcommand of the published tool, whether tp has a counterpart or not.
[[nodiscard]] std::vector<std::string> published_commands();

}  // namespace tensorpool::apps::tp
