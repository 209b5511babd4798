// tp driver run | validate | shutdown
#include <fmt/format.h>

#include "apps/flow/stats_json.hpp"
#include "apps/support/driver_host.hpp"
#include "apps/support/log_file.hpp"
#include "apps/support/logging.hpp"
#include "apps/support/number_options.hpp"
#include "apps/support/stop_signal.hpp"
#include "apps/tp/commands.hpp"
#include "apps/tp/config_keys.hpp"
#include "apps/tp/driver_shutdown.hpp"
#include "apps/tp/driver_validate.hpp"
#include "apps/tp/shutdown_token.hpp"

namespace tensorpool::apps::tp {
namespace {

// The positional CONFIG of a command; without it --config or TENSORPOOL_CONFIG must name one.
Result<std::string> file_of(const Invocation& invocation, const std::string& positional) {
  const std::string path = positional.empty() ? invocation.config_path() : positional;
  if (path.empty()) {
    return Error{ErrorCode::invalid_argument,
                 "no configuration file; name one as CONFIG, with --config, or in TENSORPOOL_CONFIG"};
  }
  return path;
}

struct RunArguments {
  std::string file;
  std::string log_file;
};

int run(const Invocation& invocation, const RunArguments& arguments) {
  const Result<std::string> path = file_of(invocation, arguments.file);
  if (!path) {
    return fail(path.error());
  }
  const Result<NodeConfig> config = invocation.config(*path);
  if (!config) {
    return fail(config.error());
  }
  if (Status logs = log_to_file(arguments.log_file); !logs) {
    return fail(logs.error());
  }
  return run_driver_program("tp", *config);
}

struct ValidateArguments {
  std::string file;
  bool keys = false;
};

void print_keys(const NodeConfig& config) {
  for (const auto& [key, value] : driver_keys(config)) {
    print_line(fmt::format("{} = {}", key, value));
  }
}

int validate(const Invocation& invocation, const ValidateArguments& arguments) {
  const Result<std::string> path = file_of(invocation, arguments.file);
  if (!path) {
    return fail(path.error());
  }
  const Result<NodeConfig> config = invocation.config(*path);
  const Verdict verdict = validate_config(*path, config);
  const bool keys = arguments.keys && config;
  if (invocation.json()) {
    Json json = to_json(verdict);
    if (keys) {
      for (const auto& [key, value] : driver_keys(*config)) {
        json["keys"][key] = value;
      }
    }
    print_json(json);
  } else {
    if (keys) {
      print_keys(*config);
    }
    print_line(describe(verdict));
  }
  return verdict.ok() ? exit_ok : exit_usage;
}

struct ShutdownArguments {
  TokenSource token;
  Nanos timeout_ns = 5 * nanos_per_second;
};

int shutdown(const Invocation& invocation, const ShutdownArguments& arguments) {
  const Result<NodeConfig> config = invocation.config();
  if (!config) {
    return fail(config.error());
  }
  const Result<ShutdownToken> token = read_token(arguments.token, invocation.environment());
  if (!token) {
    return fail(token.error());
  }
  if (!token->warning.empty()) log_warnings({token->warning});
  const ShutdownOptions options{token->text, arguments.timeout_ns};
  const Result<std::string> answer = shut_down_driver(invocation.consumer_client(*config), options, stop_flag());
  if (!answer) {
    return fail(answer.error());
  }
  invocation.json() ? print_json({{"shutdown", true}, {"answer", *answer}}) : print_line(*answer);
  return exit_ok;
}

}  // namespace

void register_driver(Registry& registry) {
  CLI::App& group = registry.group("driver", driver_group);

  auto served = std::make_shared<RunArguments>();
  CLI::App& serve = registry.add(group, "run", "Run a driver, with a media driver of its own when none is alive",
                                 "tp driver run driver.toml",
                                 [served](const Invocation& invocation) { return run(invocation, *served); });
  serve.add_option("CONFIG", served->file, "configuration file");
  serve.add_option("--log-file", served->log_file, log_file_option);

  auto checked = std::make_shared<ValidateArguments>();
  CLI::App& check = registry.add(group, "validate", "Check a configuration and say what it wants of the machine",
                                 "tp driver validate driver.toml",
                                 [checked](const Invocation& invocation) { return validate(invocation, *checked); });
  check.add_option("CONFIG", checked->file, "configuration file");
  check.add_flag("--keys", checked->keys, "first, what each key comes to, environment and defaults included");

  auto options = std::make_shared<ShutdownArguments>();
  CLI::App& end = registry.add(group, "shutdown", "Ask a driver to shut down",
                               "tp driver shutdown --config driver.toml --token-file token.txt",
                               [options](const Invocation& invocation) { return shutdown(invocation, *options); });
  end.add_option("--token-file", options->token.file,
                 "file with the driver's policies.shutdown_token; -: standard input; else TENSORPOOL_SHUTDOWN_TOKEN");
  end.add_option("--token", options->token.argument, "the token itself, which all users can see while this runs");
  add_seconds(end, "--timeout", options->timeout_ns, "seconds to wait for the driver's goodbye", 0.1, 3600);
}

}  // namespace tensorpool::apps::tp
