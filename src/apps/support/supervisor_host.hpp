// Runs a supervisor as a program, or beside other roles: on the calling thread, its events as log lines, a clean end on
// a signal.
#pragma once

#include <functional>
#include <string>

#include "apps/config/node_config.hpp"
#include "apps/support/connect_patiently.hpp"
#include "apps/support/hosted_role.hpp"
#include "base/log.hpp"
#include "tensorpool/supervisor.hpp"

namespace tensorpool::apps {

// For on_event of a monitor or a supervisor: alerts are warnings.
[[nodiscard]] std::function<void(const MonitorEvent&)> log_monitor_events(const LogSink& sink);

// Waits for a media driver, with a line now and then. The error has code `closed` when `patience.stop` said so.
[[nodiscard]] Result<Supervisor> supervise_patiently(const SupervisorOptions& options, const Patience& patience);

// For a program that runs several roles; the media driver is there.
[[nodiscard]] Result<std::unique_ptr<HostedRole>> start_supervisor(const NodeConfig& config, const LogSink& sink);

// What a program does beside the log.
struct SupervisorProgram {
  std::function<bool(const MonitorEvent&)> on_event{};  // true ends the program, with exit_alert
  std::function<void()> each_cycle{};
  std::function<void(const SupervisorStats&)> on_end{};
};

// Runs it until a stop signal; returns the exit status of the program `name`, which it tells on standard error.
int run_supervisor_program(const std::string& name, SupervisorOptions options, const SupervisorProgram& program = {});

}  // namespace tensorpool::apps
