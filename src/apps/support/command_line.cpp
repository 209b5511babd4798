#include "apps/support/command_line.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <vector>

#include "apps/config/nearest.hpp"
#include "apps/support/exit_code.hpp"
#include "apps/support/print.hpp"
#include "base/error.hpp"
#include "base/log.hpp"

namespace tensorpool::apps {
namespace {

std::vector<const CLI::App*> commands_below(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    if (mode == CLI::AppFormatMode::Sub) return make_expanded(app);
    std::string text = make_description(app) + make_usage(app, name) + make_positionals(app) + make_groups(app, mode);
    text += make_subcommands(app, mode);
    if (mode == CLI::AppFormatMode::All) {
      text += common_group(*app);
    } else if (commands_below(*app).empty() && !common_of(*app).empty()) {
      text += fmt::format("{}, such as --config and --format: {} --help-all\n", common_options, name);
    }
    return text + "\n" + make_footer(app);
  }

  // Called for each group of each command; the common one is told once, at the end of --help-all.
  std::string make_group(std::string group, bool is_positional,  // NOLINT(performance-unnecessary-value-param)
                         std::vector<const CLI::Option*> options) const override {
    return group == common_options ? "" : Formatter::make_group(group, is_positional, std::move(options));
  }

 private:
  static std::vector<const CLI::Option*> common_of(const CLI::App& app) {
    return app.get_options([](const CLI::Option* option) { return option->get_group() == common_options; });
  }

  // All commands have the same; those of a group are its first command's.
  std::string common_group(const CLI::App& app) const {
    if (auto options = common_of(app); !options.empty()) {
      return Formatter::make_group(common_options, false, std::move(options));
    }
    for (const CLI::App* command : commands_below(app)) {
      if (std::string text = common_group(*command); !text.empty()) return text;
    }
    return {};
  }
};

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known) {
  const std::optional<std::string> meant = nearest(word, known);
  return meant ? fmt::format(", did you mean {}?", *meant) : "";
}

std::vector<std::string> names_below(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands_below(app)) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

// The command of the arguments, as far as it is known: "tp driver".
struct Command {
  const CLI::App* app;
  std::string path;
};

std::string unknown_option(const Command& command, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  const std::string fault = fmt::format("unknown option {}", escape(name));
  if (const std::string hint = did_you_mean(name, options_of(*command.app)); !hint.empty()) return fault + hint;
  return commands_below(*command.app).empty() ? fmt::format("{} of {}", fault, command.path)
                                              : fmt::format("{}; the options of a command stand after its name", fault);
}

std::string unexpected(const Command& command, const std::string& word) {
  if (word.size() > 1 && word.starts_with('-')) return unknown_option(command, word);
  if (!commands_below(*command.app).empty()) return unknown_command(*command.app, command.path, word);
  return fmt::format("unexpected argument {}; {} takes no {}", escape(word), command.path,
                     command.app->get_options([](const CLI::Option* o) { return o->get_positional(); }).empty()
                         ? "argument without an option's name"
                         : "more");
}

// CLI11 leaves a word that it does not know with the command that met it, and reports it last of all.
std::optional<std::string> unexpected_word(const CLI::App& top, Command& command) {
  for (command = {&top, top.get_name()};;) {
    for (const std::string& word : command.app->remaining()) {
      if (word != "--") return unexpected(command, word);
    }
    const std::vector<CLI::App*> chosen = command.app->get_subcommands();
    if (chosen.empty()) return std::nullopt;
    command = {chosen.front(), fmt::format("{} {}", command.path, chosen.front()->get_name())};
  }
}

int mistake(const CLI::App& top, const std::string& path, const std::string& what) {
  const int status = give_up(top.get_name(), {ErrorCode::invalid_argument, what});
  print_error(fmt::format("Run {} --help for more information.", path));
  return status;
}

}  // namespace

int tell(std::string_view program, std::string_view text) {
  print_text(text);
  const Status output = output_status();
  return output ? exit_ok : give_up(program, output.error());
}

std::shared_ptr<CLI::Formatter> help_formatter() { return std::make_shared<HelpFormatter>(); }

std::string help_of(const CLI::App& command, const std::string& path, CLI::AppFormatMode mode) {
  return command.get_formatter()->make_help(&command, path, mode);
}

std::string unknown_command(const CLI::App& group, const std::string& path, const std::string& word) {
  const std::vector<std::string> names = names_below(group);
  if (names.empty()) return fmt::format("unknown command {}; {} has no commands below it", escape(word), path);
  return fmt::format("unknown command {}{}; {} takes {}", escape(word), did_you_mean(word, names), path,
                     fmt::join(names, ", "));
}

std::optional<int> parse_command_line(CLI::App& app, int argc, const char* const* argv) {
  choose_error_format({argv, static_cast<std::size_t>(argc)});
  app.set_version_flag("-V,--version", app.get_name() + " " TENSORPOOL_VERSION, "Print the version and exit");
  std::string fault;
  std::string answer;
  std::optional<CLI::AppFormatMode> help;
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    help = CLI::AppFormatMode::Normal;
  } catch (const CLI::CallForAllHelp&) {
    help = CLI::AppFormatMode::All;
  } catch (const CLI::CallForVersion& version) {
    answer = fmt::format("{}\n", version.what());
  } catch (const CLI::ParseError& error) {
    fault = error.what();
  }
  Command command{};
  if (const auto unexpected = unexpected_word(app, command)) return mistake(app, command.path, *unexpected);
  if (help) answer = help_of(*command.app, command.path, *help);
  if (!answer.empty()) return tell(app.get_name(), answer);
  if (const auto names = names_below(*command.app); !names.empty()) {
    fault = fmt::format("a command is missing; {} takes {}", command.path, fmt::join(names, ", "));
  }
  return mistake(app, command.path, fault);
}

}  // namespace tensorpool::apps
