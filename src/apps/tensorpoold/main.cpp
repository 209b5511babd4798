// tensorpoold: the daemon. Runs the roles of one configuration file until a signal, or the end of one of them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "apps/support/command_line.hpp"
#include "apps/support/exit_code.hpp"
#include "apps/support/log_file.hpp"
#include "apps/support/logging.hpp"
#include "apps/support/print.hpp"
#include "apps/support/program.hpp"
#include "apps/tensorpoold/node.hpp"
#include "apps/tp/driver_validate.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::apps {
namespace {

struct Arguments {
  std::string config;
  std::vector<std::string> roles;
  std::string log_file;
  bool validate = false;
};

void declare(CLI::App& app, Arguments& arguments) {
  app.add_option("--config", arguments.config, "configuration file; else the variable TENSORPOOL_CONFIG names it");
  app.add_option("--role", arguments.roles, "run this role of the file, and no other (repeatable)")
      ->check(CLI::IsMember(known_roles()))
      ->allow_extra_args(false);
  app.add_option("--log-file", arguments.log_file, log_file_option);
  app.add_flag("--validate", arguments.validate, "check the file, say what would run, and end");
  app.footer(
      "Runs the roles whose tables the file has, on one thread, with a media driver of its own where none is alive.\n"
      "SIGINT and SIGTERM end all in good order; so does SIGHUP where there is a terminal, else it opens the log file "
      "again.\n"
      "Example:\n  tensorpoold --config config/quickstart.toml\n\n"
      "Exit status: 0 done, 1 failed, 2 bad arguments or configuration, 3 no media driver, 4 refused.");
}

int validate(const NodeConfig& config, const std::vector<std::string>& roles) {
  print_line(fmt::format("{}: runs {}", config.file, fmt::join(roles, ", ")));
  if (std::find(roles.begin(), roles.end(), "driver") == roles.end()) return exit_ok;
  const tp::Verdict verdict = tp::validate_config(config.file, config);
  print_line(tp::describe(verdict));
  return verdict.ok() ? exit_ok : exit_usage;
}

int run(const Arguments& arguments) {
  const Environment environment = process_environment();
  const std::string path =
      arguments.config.empty() ? environment.get("TENSORPOOL_CONFIG").value_or("") : arguments.config;
  if (path.empty()) {
    return give_up("tensorpoold", {ErrorCode::invalid_argument,
                                   "no configuration file; name one with --config, or in TENSORPOOL_CONFIG"});
  }
  const auto config = load_node_config(path, environment);
  if (!config) return give_up("tensorpoold", config.error());
  const auto roles = roles_of(*config, arguments.roles);
  if (!roles) return give_up("tensorpoold", roles.error());
  if (arguments.validate) return validate(*config, *roles);
  if (Status logs = log_to_file(arguments.log_file); !logs) return give_up("tensorpoold", logs.error());
  if (Status guarded = install_sigbus_guard(); !guarded) return give_up("tensorpoold", guarded.error());
  const Status ran = run_node(*config, *roles, stderr_log());
  return ran ? exit_ok : give_up("tensorpoold", ran.error());
}

int main_of(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("tensorpoold: the roles of a tensorpool in one process", "tensorpoold");
  declare(app, arguments);
  if (const auto ended = parse_command_line(app, argc, argv)) return *ended;
  return run(arguments);
}

}  // namespace
}  // namespace tensorpool::apps

int main(int argc, char** argv) {
  return tensorpool::apps::run_program("tensorpoold", [&] { return tensorpool::apps::main_of(argc, argv); });
}
