// tp supervise
#include <algorithm>

#include "apps/flow/event_json.hpp"
#include "apps/support/alert_hook.hpp"
#include "apps/support/log_file.hpp"
#include "apps/support/logging.hpp"
#include "apps/support/number_options.hpp"
#include "apps/support/supervisor_host.hpp"
#include "apps/tp/commands.hpp"

namespace tensorpool::apps::tp {
namespace {

constexpr const char* any_alert = "alert";

struct SuperviseArguments {
  std::string file;
  std::optional<Nanos> no_frames_timeout_ns;
  std::vector<std::string> exit_on;
  std::string program;
  std::vector<std::string> program_arguments;
  std::string log_file;
};

std::vector<std::string> event_names() {
  std::vector<std::string> names{any_alert};
  for (int kind = 0; kind <= static_cast<int>(MonitorEventKind::config_ignored); ++kind) {
    names.emplace_back(to_string(static_cast<MonitorEventKind>(kind)));
  }
  return names;
}

bool ends_on(const std::vector<std::string>& names, const MonitorEvent& event) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name == any_alert ? is_alert(event) : name == to_string(event.kind);
  });
}

Json summary_of(const SupervisorStats& stats) {
  return {{"event", "summary"},
          {"alerts", stats.alerts},
          {"no_frames", stats.no_frames},
          {"configs_sent", stats.configs_sent},
          {"configs_ignored", stats.configs_ignored}};
}

int supervise(const Invocation& invocation, const SuperviseArguments& arguments) {
  const Result<NodeConfig> config = invocation.config(arguments.file);
  if (!config) return fail(config.error());
  if (auto logs = log_to_file(arguments.log_file); !logs) return fail(logs.error());
  SupervisorOptions options = invocation.supervisor(*config);
  if (arguments.no_frames_timeout_ns) {
    options.no_frames_timeout_ns = *arguments.no_frames_timeout_ns;
    options.no_frames_timeouts.clear();
  }
  std::vector<std::string> command;
  std::optional<AlertHook> hook;
  if (!arguments.program.empty()) {
    command = arguments.program_arguments;
    command.insert(command.begin(), arguments.program);
    if (auto good = AlertHook::check(command); !good) return fail(good.error());
    hook.emplace(std::move(command), stderr_log());
  }
  SupervisorProgram program;
  program.on_event = [&](const MonitorEvent& event) {
    if (invocation.json()) print_json(apps::to_json(event));
    // The end of a silence too: it closes what the alert opened.
    if (hook && (is_alert(event) || event.kind == MonitorEventKind::frames_resumed)) hook->run(event);
    return ends_on(arguments.exit_on, event);
  };
  program.each_cycle = [&] {
    if (hook) hook->reap();
  };
  if (invocation.json()) {
    program.on_end = [](const SupervisorStats& stats) { print_json(summary_of(stats)); };
  }
  return run_supervisor_program("tp", std::move(options), program);
}

}  // namespace

void register_supervise(Registry& registry) {
  const auto arguments = std::make_shared<SuperviseArguments>();
  CLI::App& command =
      registry.add(registry.top(), "supervise", "Watch producers and consumers, raise alerts, apply policies",
                   "tp supervise driver.toml --exit-on no_frames",
                   [arguments](const Invocation& invocation) { return supervise(invocation, *arguments); });
  command.add_option("CONFIG", arguments->file,
                     "configuration file, with [supervisor]; else --config or TENSORPOOL_CONFIG");
  add_seconds(command, "--no-frames-timeout", arguments->no_frames_timeout_ns,
              "seconds without a new frame before the alert no_frames, for every stream; 0: never; else "
              "supervisor.no_frames_timeout_ns and supervisor.streams");
  command
      .add_option(
          "--exit-on", arguments->exit_on,
          "end with status 5 at the first event of this kind, such as no_frames; alert: at any alert (repeatable)")
      ->check(CLI::IsMember(event_names()))
      ->allow_extra_args(false);
  command.add_option("--log-file", arguments->log_file, log_file_option);
  auto* program = command.add_option("--exec", arguments->program,
                                     "start this program, without a shell, for each alert and for frames_resumed; what "
                                     "happened is in TENSORPOOL_EVENT and further variables");
  command.add_option("--exec-arg", arguments->program_arguments, "an argument of that program (repeatable)")
      ->allow_extra_args(false)
      ->needs(program);
}

}  // namespace tensorpool::apps::tp
