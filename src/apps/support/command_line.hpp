// The command line of every program: what --help, --version and a mistake answer, and with which status.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tensorpool::apps {

// Options of this group are left to --help-all, where a program has one. They stand below the program's own.
inline constexpr const char* common_options = "Options of all commands";

// What lists a command's own options first, and says where the common ones are. Give it to the app before its
// subcommands are made.
[[nodiscard]] std::shared_ptr<CLI::Formatter> help_formatter();

// The text that --help (Normal) or --help-all (All) of `command` writes. `path`: "tp driver run".
[[nodiscard]] std::string help_of(const CLI::App& command, const std::string& path, CLI::AppFormatMode mode);

// What is wrong with a word in the place of a command of `group`, with the nearest one and all that there are.
[[nodiscard]] std::string unknown_command(const CLI::App& group, const std::string& path, const std::string& word);

// Writes a text that was asked for to standard output. Returns 0, or 1 when it cannot be written.
int tell(std::string_view program, std::string_view text);

// Parses, --version included. Nothing when the program shall go on, else its exit status:
// 0 after --help, --help-all or --version, whose text it has written to standard output; 1 when that was not possible;
// 2 after a mistake, which give_up() has told: an unknown command or option is named with the nearest known one, also
// when help is asked for.
// Call once, before anything is written. Errors are told as JSON too when the arguments hold `--format json`.
[[nodiscard]] std::optional<int> parse_command_line(CLI::App& app, int argc, const char* const* argv);

}  // namespace tensorpool::apps
