// example_consumer CONFIG DEFAULTS COUNT: receives frames and checks that every byte is frame id % 256. COUNT 0 = for
// ever. Exit status 1 on any mismatch.
#include <algorithm>

#include "apps/flow/stats_json.hpp"
#include "example_setup.hpp"

namespace examples {
namespace {

constexpr std::uint64_t mismatches_told = 10;

struct Arguments {
  NodeConfig config;
  NodeConfig defaults;
  std::uint64_t count = 0;
};

struct Tally {
  std::uint64_t verified = 0;
  std::uint64_t mismatches = 0;
  [[nodiscard]] std::uint64_t received() const { return verified + mismatches; }
};

// Where a byte differs from what its frame id says; nothing when none does. Reads live memory and validates afterwards.
Expected<std::optional<std::size_t>, FrameLoss> find_mismatch(const Frame& frame) {
  const auto expected = static_cast<std::byte>(frame.seq() % 256);
  return frame.read<std::byte>([expected](TensorView<const std::byte> view) -> std::optional<std::size_t> {
    const auto wrong =
        std::find_if(view.elements.begin(), view.elements.end(), [=](std::byte b) { return b != expected; });
    return wrong == view.elements.end() ? std::nullopt
                                        : std::optional(static_cast<std::size_t>(wrong - view.elements.begin()));
  });
}

void check(const Frame& frame, Tally& tally) {
  const auto mismatch = find_mismatch(frame);
  if (!mismatch) {
    return;  // overwritten while we read; the consumer's statistics have it
  }
  if (!*mismatch) {
    ++tally.verified;
  } else if (++tally.mismatches <= mismatches_told) {
    print_error(fmt::format("example_consumer: frame {} of epoch {}: the byte at {} is wrong, it should be {}",
                            frame.seq(), frame.epoch(), **mismatch, frame.seq() % 256));
  }
}

std::string describe(const Consumer& consumer, const Tally& tally) {
  const std::string losses = describe_losses(consumer.stats());
  return fmt::format("stream {}: {} frames verified, {} mismatches, lost: {}", consumer.stream_id(), tally.verified,
                     tally.mismatches, losses.empty() ? "none" : losses);
}

Tally receive_frames(Consumer& consumer, std::uint64_t count) {
  Tally tally;
  EverySecond every_second;
  while (!stop_requested() && (count == 0 || tally.received() < count)) {
    const int limit = count == 0 ? 16 : static_cast<int>(std::min<std::uint64_t>(16, count - tally.received()));
    if (consumer.poll([&](const Frame& frame) { check(frame, tally); }, limit) == 0) {
      nap(nanos_per_milli / 4);
    }
    if (every_second(monotonic_now())) {
      say(describe(consumer, tally));
    }
  }
  say("done, " + describe(consumer, tally));
  return tally;
}

Result<Tally> run(const Arguments& arguments) {
  const ConsumerSettings& settings = arguments.defaults.consumer;
  const auto stream = choose_stream(arguments.config, settings.stream_id, "consumer.stream_id");
  if (!stream) {
    return stream.error();
  }
  log_warnings(arguments.defaults.warnings);
  ClientOptions options = consumer_client_options(arguments.config, arguments.defaults);
  options.name = "example_consumer";
  options.on_event = log_events();
  auto client = connect_patiently(options, patience());
  if (!client) {
    return client.error();
  }
  ConsumerOptions wanted = consumer_options(settings);
  wanted.stream_id = *stream;
  wanted.create = true;
  auto consumer = client->attach_consumer(wanted);
  if (!consumer) {
    return consumer.error();
  }
  return receive_frames(*consumer, arguments.count);
}

int main_of(int argc, char** argv) {
  Files files;
  std::uint64_t count = 0;
  CLI::App app("Receives frames and checks that every byte is frame id % 256. Exit status 1 on any mismatch.",
               "example_consumer");
  files.declare(app);
  app.add_option("COUNT", count, "frames; 0: for ever")->required()->check(whole_number(0, UINT64_MAX));
  app.footer("Example:\n  example_consumer docs/examples/driver_integration_example.toml config/defaults.toml 0");
  if (const auto ended = parse_command_line(app, argc, argv)) return *ended;
  auto config = load_node_config(files.config, process_environment());
  auto defaults = load_node_config(files.defaults, process_environment());
  if (!config || !defaults) {
    return give_up("example_consumer", config ? defaults.error() : config.error());
  }
  const auto tally = run({std::move(*config), std::move(*defaults), count});
  if (!tally) {
    return give_up("example_consumer", tally.error());
  }
  return tally->mismatches == 0 ? exit_ok : exit_failed;
}

}  // namespace
}  // namespace examples

int main(int argc, char** argv) {
  return tensorpool::apps::run_program("example_consumer", [&] { return examples::main_of(argc, argv); });
}
