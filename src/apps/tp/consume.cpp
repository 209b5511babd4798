// tp consume
#include <fmt/format.h>

#include "apps/config/client_setup.hpp"
#include "apps/support/event_log.hpp"
#include "apps/support/logging.hpp"
#include "apps/support/number_options.hpp"
#include "apps/support/stop_signal.hpp"
#include "apps/tp/commands.hpp"
#include "apps/tp/consume_stream.hpp"

namespace tensorpool::apps::tp {
namespace {

struct ConsumeArguments {
  std::optional<std::uint32_t> stream_id;
  std::optional<double> max_rate_hz;
  std::optional<std::uint32_t> decimation;
  bool own_streams = false;
  std::string start = "latest";
  std::optional<Nanos> no_frames_timeout_ns;
  ConsumeOptions options;
};

StartAt start_of(const std::string& name) {
  if (name == "next") return StartAt::next;
  return name == "oldest" ? StartAt::oldest : StartAt::latest;
}

// What the configuration wishes, with the options over it.
ConsumerOptions consumer_of(const ConsumerSettings& settings, const ConsumeArguments& arguments) {
  ConsumerOptions wanted = consumer_options(settings);
  wanted.create = arguments.options.consumer.create;
  wanted.latest_only = arguments.options.consumer.latest_only;
  wanted.standalone = arguments.options.consumer.standalone;
  wanted.start = start_of(arguments.start);
  wanted.decimation = arguments.decimation.value_or(wanted.decimation);
  wanted.own_streams = wanted.own_streams || arguments.own_streams;
  if (arguments.no_frames_timeout_ns) {
    wanted.no_frames_timeout_ns = *arguments.no_frames_timeout_ns;
  }
  if (arguments.max_rate_hz) {
    wanted.max_rate_hz = *arguments.max_rate_hz;
    wanted.mode = *arguments.max_rate_hz != 0 ? ConsumerMode::rate_limited : ConsumerMode::stream;
  }
  return wanted;
}

int run_consume(const Invocation& invocation, const ConsumeArguments& arguments) {
  const auto config = invocation.config();
  if (!config) return fail(config.error());
  const ConsumerSettings& settings = config->consumer;
  const auto stream = choose_stream(*config, arguments.stream_id.value_or(settings.stream_id), "--stream");
  if (!stream) return fail(stream.error());
  log_warnings(config->warnings);
  ConsumeOptions options = arguments.options;
  options.client = invocation.consumer_client(*config);
  options.client.name = fmt::format("tp consume {}", *stream);
  options.client.on_event = log_events();
  options.client.keep_waiting = wait_until_stopped(options.client);
  options.consumer = consumer_of(settings, arguments);
  options.consumer.stream_id = *stream;
  if (options.consumer.standalone) {
    use_standalone(*config, options.client);
    options.client.keep_waiting = [] { return !stop_requested(); };  // there is no driver to wait for
  }
  options.consumer.client_id = invocation.client_id(settings.consumer_id);
  options.json = invocation.json();
  const Status consumed = consume_stream(options, stop_flag());
  return consumed ? exit_ok : fail(consumed.error());
}

}  // namespace

void register_consume(Registry& registry) {
  const auto arguments = std::make_shared<ConsumeArguments>();
  CLI::App& command =
      registry.add(registry.top(), "consume", "Receive a stream, and check what comes",
                   "tp consume --stream 1001 --verify --each --format json --count 10",
                   [arguments](const Invocation& invocation) { return run_consume(invocation, *arguments); });
  ConsumeOptions& options = arguments->options;
  add_stream_id(command, "--stream", arguments->stream_id,
                "stream to receive; else the configuration's consumer.stream_id or only stream");
  add_count(command, "--count", options.count, "frames; 0: until stopped; fewer within --seconds are a failure");
  add_seconds(command, "--seconds", options.limit_ns, "end after so long; 0: until stopped");
  command.add_flag("--each", options.each, "a line for each frame instead of one a second");
  command.add_flag("--create", options.consumer.create, "let the driver make the stream if it is not there");
  command.add_flag("--standalone", options.consumer.standalone,
                   "without a driver: follow what a producer with --standalone announces");
  command.add_flag("--latest-only", options.consumer.latest_only, "only ever the newest frame");
  command.add_option("--start", arguments->start, "where to begin: latest committed frame, next, or oldest readable")
      ->check(CLI::IsMember({"latest", "next", "oldest"}))
      ->capture_default_str();
  add_rate_hz(command, "--max-rate", arguments->max_rate_hz,
              "at most so many frames a second, by their time stamps; 0.1: one in ten seconds; 0: no limit");
  add_count(command, "--decimation", arguments->decimation, "only every n-th frame", 1);
  add_seconds(command, "--no-frames-timeout", arguments->no_frames_timeout_ns,
              "seconds without a new frame in the stream before a warning; 0: never; else "
              "consumer.no_frames_timeout_ns");
  command.add_flag("--own-streams", arguments->own_streams,
                   "ask for a descriptor stream of its own; it carries no more than is wanted");
  command.add_option("--crc-log", options.crc_log,
                     "append epoch, sequence, CRC32C and length of each frame to this file");
  auto* verify =
      command.add_flag("--verify", options.verify,
                       "check every byte against the pattern of `tp publish pattern`; no frame at all is a failure");
  command
      .add_option("--against", options.against, "with --verify: check against this CRC log of the producer, at the end")
      ->needs(verify);
  command.add_option("--save", options.save_dir, "write every frame into this directory: PNG for images, else .bin")
      ->check(CLI::ExistingDirectory);
}

}  // namespace tensorpool::apps::tp
