// tp top
#include "apps/support/number_options.hpp"
#include "apps/support/redrawn_lines.hpp"
#include "apps/support/stop_signal.hpp"
#include "apps/tp/commands.hpp"
#include "apps/tp/top_table.hpp"
#include "tensorpool/idle.hpp"

namespace tensorpool::apps::tp {
namespace {

struct TopArguments {
  std::uint32_t stream_id = 0;
  bool once = false;
  Nanos interval_ns = nanos_per_second;
  Nanos limit_ns = 0;  // 0 = until stopped
};

// Rates need two QoS messages of each client, and bytes two looks at the counters.
constexpr Nanos once_after_ns = 2500 * nanos_per_milli;

class Screen {
 public:
  explicit Screen(bool json) : json_(json) {}

  void show(const MonitorSnapshot& snapshot) {
    if (json_) return print_json(to_json(snapshot));
    const auto rows = top_rows(snapshot);
    if (terminal_) return lines_.show(rows);
    for (const std::string& row : rows) print_line(row);
  }

 private:
  bool json_;
  bool terminal_ = on_terminal();
  RedrawnLines lines_;
};

// Runs the monitor until then; false when the user wants to end.
bool watch_until(Monitor& monitor, Nanos deadline) {
  Idle idle(IdleMode::sleep, nanos_per_milli / 2);
  while (!stop_requested()) {
    const Nanos now = monotonic_now();
    if (now >= deadline) return true;
    idle.idle(monitor.do_work(now));
  }
  return false;
}

int top(const Invocation& invocation, const TopArguments& arguments) {
  const Result<NodeConfig> config = invocation.config();
  if (!config) return fail(config.error());
  ClientOptions where = invocation.consumer_client(*config);
  where.name = "tp top";
  where.invoker = true;
  Result<Monitor> monitor = Monitor::open(where, {.stream_id = arguments.stream_id, .descriptors = true});
  if (!monitor) {
    const Error& error = monitor.error();
    return fail(error.code == ErrorCode::not_found ? Error{ErrorCode::unavailable, error.message} : error);
  }
  Screen screen(invocation.json());
  const Nanos begin = monotonic_now();
  const Nanos end = arguments.limit_ns > 0 ? begin + arguments.limit_ns : std::numeric_limits<Nanos>::max();
  Nanos next = begin + (arguments.once ? once_after_ns : arguments.interval_ns);
  while (watch_until(*monitor, std::min(next, end))) {
    const MonitorSnapshot snapshot = monitor->snapshot();
    screen.show(snapshot);
    if (arguments.once) return snapshot.driver == DriverState::unknown ? exit_unavailable : exit_ok;
    if (monotonic_now() >= end) break;
    next += arguments.interval_ns;
  }
  return exit_ok;
}

}  // namespace

void register_top(Registry& registry) {
  auto arguments = std::make_shared<TopArguments>();
  CLI::App& command = registry.add(registry.top(), "top", "Show rates, lags, latencies and losses of all streams, live",
                                   "tp top --once --format json",
                                   [arguments](const Invocation& invocation) { return top(invocation, *arguments); });
  add_stream_id(command, "--stream", arguments->stream_id, "only this stream");
  command.add_flag("--once", arguments->once, "one look of 2.5 s, then end; status 3 if no driver was heard");
  add_seconds(command, "--interval", arguments->interval_ns, "seconds between two looks", 0.1, 3600);
  add_seconds(command, "--seconds", arguments->limit_ns, "end after so long; 0: until stopped");
}

}  // namespace tensorpool::apps::tp
