#include "apps/support/supervisor_host.hpp"

#include <fmt/format.h>

#include <utility>

#include "apps/config/client_setup.hpp"
#include "apps/support/exit_code.hpp"
#include "apps/support/logging.hpp"
#include "apps/support/stop_signal.hpp"
#include "tensorpool/idle.hpp"

namespace tensorpool::apps {
namespace {

void serve(Supervisor& supervisor, const SupervisorProgram& program, const bool& ended) {
  Idle idle(IdleMode::sleep, nanos_per_milli);
  while (!stop_requested() && !ended) {
    idle.idle(supervisor.do_work(monotonic_now()));
    if (program.each_cycle) {
      program.each_cycle();
    }
  }
}

std::string describe(const SupervisorStats& stats) {
  return fmt::format("supervisor ends: {} alerts, {} configs sent, {} ignored", stats.alerts, stats.configs_sent,
                     stats.configs_ignored);
}

std::string describe(const SupervisorOptions& options) {
  return fmt::format("supervisor watches {} on control stream {}, with {} policies",
                     options.stream_id == 0 ? "all streams" : fmt::format("stream {}", options.stream_id),
                     options.where.control.stream_id, options.policies.size());
}

class SupervisorRole : public HostedRole {
 public:
  explicit SupervisorRole(Supervisor supervisor) : supervisor_(std::move(supervisor)) {}

  [[nodiscard]] std::string_view name() const noexcept override { return supervisor_.name(); }
  int do_work(Nanos now) noexcept override { return supervisor_.do_work(now); }
  void request_stop() noexcept override { stopped_ = true; }
  [[nodiscard]] bool finished() const noexcept override { return stopped_; }
  [[nodiscard]] std::optional<Error> failure() const override { return std::nullopt; }

 private:
  Supervisor supervisor_;
  bool stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<HostedRole>> start_supervisor(const NodeConfig& config, const LogSink& sink) {
  SupervisorOptions options = supervisor_options(config, config);
  options.on_event = log_monitor_events(sink);
  auto supervisor = Supervisor::create(options);
  if (!supervisor) {
    return supervisor.error();
  }
  sink(LogLevel::info, describe(options));
  return std::unique_ptr<HostedRole>(std::make_unique<SupervisorRole>(*std::move(supervisor)));
}

std::function<void(const MonitorEvent&)> log_monitor_events(const LogSink& sink) {
  return [sink](const MonitorEvent& event) {
    sink(is_alert(event) ? LogLevel::warning : LogLevel::info,
         fmt::format("{}: {}", to_string(event.kind), escape(event.message)));
  };
}

Result<Supervisor> supervise_patiently(const SupervisorOptions& options, const Patience& patience) {
  return wait_for_media_driver([&] { return Supervisor::create(options); }, patience);
}

int run_supervisor_program(const std::string& name, SupervisorOptions options, const SupervisorProgram& program) {
  let_hangup_reopen_log();
  const LogSink sink = stderr_log();
  bool ended = false;
  options.on_event = [&, log = log_monitor_events(sink)](const MonitorEvent& event) {
    log(event);
    if (!ended && program.on_event) {  // the status is that of the first event that ends it
      ended = program.on_event(event);
    }
  };
  const Patience patience{stop_requested, [&](std::string_view line) { sink(LogLevel::info, line); }};
  auto supervisor = supervise_patiently(options, patience);
  if (!supervisor) {
    return give_up(name, supervisor.error());
  }
  sink(LogLevel::info, describe(options));
  serve(*supervisor, program, ended);
  sink(LogLevel::info, describe(supervisor->stats()));
  if (program.on_end) {
    program.on_end(supervisor->stats());
  }
  return ended ? exit_alert : exit_ok;
}

}  // namespace tensorpool::apps
