// demo_processor: one of three kinds of image processing between two streams.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "apps/config/client_setup.hpp"
#include "apps/demo/processor.hpp"
#include "apps/support/command_line.hpp"
#include "apps/support/event_log.hpp"
#include "apps/support/exit_code.hpp"
#include "apps/support/number_options.hpp"
#include "apps/support/program.hpp"
#include "apps/support/stop_signal.hpp"

namespace tensorpool::apps {
namespace {

struct Arguments {
  Nanos attach_timeout_ns = 30 * nanos_per_second;
  std::string config;
  std::string kind = "bin2";
  std::string format = "text";
  ProcessorOptions options;
};

int fail(const Error& error) { return give_up("demo_processor", error); }

int run(const Arguments& arguments) {
  const auto config = load_node_config(arguments.config, process_environment());
  if (!config) return fail(config.error());
  ProcessorOptions options = arguments.options;
  options.client = consumer_client_options(*config, *config);
  options.client.name = fmt::format("{} {} to {}", arguments.kind, options.in_stream_id, options.out_stream_id);
  options.client.on_event = log_events();
  options.client.keep_waiting = [] { return !stop_requested(); };
  options.client.attach_timeout_ns = arguments.attach_timeout_ns;
  options.kind = work_kind_from_string(arguments.kind).value_or(WorkKind::bin2);
  options.json = arguments.format == "json";
  const Status ran = run_processor(options, stop_flag());
  return ran ? exit_ok : fail(ran.error());
}

int main_of(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{
      "Processes the images of one stream into another.\n"
      "Example: demo_processor --config config/demo.toml --kind bin2 --in 1003 --out 2003",
      "demo_processor"};
  app.add_option("--config", arguments.config, "configuration file; none: defaults and environment");
  app.add_option("--kind", arguments.kind,
                 "background: difference to the running mean, and its centroid; bin2: 2x2 binning; threshold: mask of "
                 "what is bright")
      ->check(CLI::IsMember({"background", "bin2", "threshold"}))
      ->capture_default_str();
  add_stream_id(app, "--in", arguments.options.in_stream_id, "stream to read")->required();
  add_stream_id(app, "--out", arguments.options.out_stream_id, "stream to publish")->required();
  app.add_option("--in-crc-log", arguments.options.in_crc_log,
                 "append epoch, sequence, CRC32C and length of each frame read");
  app.add_option("--out-crc-log", arguments.options.out_crc_log, "the same of each frame published");
  app.add_flag("--hold", arguments.options.hold, "after the last frame, stay attached until standard input ends");
  add_seconds(app, "--attach-timeout", arguments.attach_timeout_ns, "seconds to wait for the driver's answer", 1,
              86'400);
  app.add_option("--format", arguments.format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  if (const auto ended = parse_command_line(app, argc, argv)) return *ended;
  return run(arguments);
}

}  // namespace
}  // namespace tensorpool::apps

int main(int argc, char** argv) {
  return tensorpool::apps::run_program("demo_processor", [&] { return tensorpool::apps::main_of(argc, argv); });
}
