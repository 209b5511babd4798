// `tp completion`: shell completion, generated from the commands themselves, so that it cannot name what is not there.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tensorpool::apps::tp {

// Scripts for the program that `top` describes; source them, or put them where the shell looks for completions.
[[nodiscard]] std::string bash_completion(const CLI::App& top);
[[nodiscard]] std::string zsh_completion(const CLI::App& top);
[[nodiscard]] std::string fish_completion(const CLI::App& top);

}  // namespace tensorpool::apps::tp
