// tp top
#include <limits>
#include <optional>

#include "apps/support/key_input.hpp"
#include "apps/support/number_options.hpp"
#include "apps/support/redrawn_lines.hpp"
#include "apps/support/stop_signal.hpp"
#include "apps/tp/commands.hpp"
#include "apps/tp/top_table.hpp"
#include "tensorpool/idle.hpp"
#include "transport/media_driver.hpp"

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
  explicit Screen(bool json) : json_(json) {
    if (!json_ && can_redraw()) keys_.emplace();
  }

  [[nodiscard]] bool wants_to_quit() { return keys_ && keys_->wants_to_quit(); }
  [[nodiscard]] bool resized() const { return keys_ && lines_.resized(); }

  void show(const MonitorSnapshot& snapshot, const ClientNames& names) {
    if (json_) return print_json(to_json(snapshot, names));
    const auto lines = top_lines(snapshot, names, terminal_size().columns);
    if (keys_) return lines_.show(lines);
    for (const StyledLine& line : lines) print_line(line.text);
  }

 private:
  bool json_;
  std::optional<KeyInput> keys_;  // with a terminal that redraws
  RedrawnLines lines_;
};

ClientNames names_of(const ClientOptions& where) {
  const auto counters =
      transport::read_counters(where.aeron_dir.empty() ? transport::default_aeron_dir() : where.aeron_dir);
  return counters ? client_names_in(*counters, where.control.stream_id) : ClientNames();
}

enum class Watched : std::uint8_t { due, resized, ended };

// Runs the monitor until then, or until the user wants something.
Watched watch_until(Monitor& monitor, Screen& screen, Nanos deadline) {
  constexpr Nanos look_every_ns = 50 * nanos_per_milli;
  Idle idle(IdleMode::sleep, nanos_per_milli / 2);
  Nanos next_look = 0;
  while (!stop_requested() && output_status()) {
    const Nanos now = monotonic_now();
    if (now >= deadline) return Watched::due;
    if (now >= next_look) {
      next_look = now + look_every_ns;
      if (screen.wants_to_quit()) return Watched::ended;
      if (screen.resized()) return Watched::resized;
    }
    idle.idle(monitor.do_work(now));
  }
  return Watched::ended;
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
  for (;;) {
    const Watched watched = watch_until(*monitor, screen, std::min(next, end));
    if (watched == Watched::ended) break;
    const MonitorSnapshot snapshot = monitor->snapshot();
    screen.show(snapshot, names_of(where));
    if (watched == Watched::resized) continue;
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
