// example_producer CONFIG DEFAULTS COUNT [BYTES]: publishes frames whose every byte is frame id % 256; the frame id is
// the producer's sequence. COUNT 0 = for ever; BYTES defaults to the stride of the stream's first pool.
#include <cstring>

#include "apps/flow/publish_session.hpp"
#include "example_setup.hpp"

namespace examples {
namespace {

constexpr Nanos frame_period_ns = nanos_per_second / 100;
// A detach ends the epoch, and with it what consumers have not read yet.
constexpr Nanos last_frames_ns = 500 * nanos_per_milli;

struct Arguments {
  NodeConfig config;
  NodeConfig defaults;
  std::uint64_t count = 0;
  std::optional<std::uint64_t> bytes;
};

PublishStatus publish_next(Producer& producer, std::size_t bytes) {
  auto claim = producer.claim(bytes);
  if (!claim) {
    return claim.error();
  }
  std::memset(claim->payload().data(), static_cast<int>(claim->seq() % 256), bytes);
  return std::move(*claim).commit(TensorLayout::row_major(Dtype::uint8, {static_cast<std::int32_t>(bytes)}));
}

Status publish_frames(Producer& producer, std::uint64_t count, std::size_t bytes) {
  EverySecond every_second;
  std::uint64_t published = 0;
  Nanos next = monotonic_now();
  while (!stop_requested() && (count == 0 || published < count)) {
    const PublishStatus status = publish_next(producer, bytes);
    if (status == PublishStatus::too_large || status == PublishStatus::invalid_layout) {
      return too_large_error(producer, bytes);
    }
    published += is_committed(status) ? 1 : 0;
    const Nanos now = monotonic_now();
    if (every_second(now)) {
      say(fmt::format("stream {}: {} frames published{}", producer.stream_id(), published,
                      status == PublishStatus::ok ? "" : fmt::format(" ({})", to_string(status))));
    }
    next = std::max(next + frame_period_ns, now);
    nap(next - now);
  }
  say(fmt::format("stream {}: done, {} frames of {} bytes published", producer.stream_id(), published, bytes));
  return {};
}

Status run(const Arguments& arguments) {
  const auto stream = choose_stream(arguments.config, arguments.defaults.producer.stream_id, "producer.stream_id");
  if (!stream) {
    return stream.error();
  }
  log_warnings(arguments.defaults.warnings);
  ClientOptions options = producer_client_options(arguments.config, arguments.defaults);
  options.name = "example_producer";
  options.on_event = log_events();
  auto client = connect_patiently(options, patience());
  if (!client) {
    return client.error();
  }
  auto producer = client->attach_producer(
      {.stream_id = *stream, .create = true, .client_id = arguments.defaults.producer.producer_id});
  if (!producer) {
    return producer.error();
  }
  const std::uint64_t stride = std::min<std::uint64_t>(
      first_pool_stride(arguments.config, *stream).value_or(static_cast<std::uint32_t>(producer->max_payload_bytes())),
      INT32_MAX);  // the most that one dimension holds
  const Status published = publish_frames(*producer, arguments.count, arguments.bytes.value_or(stride));
  if (published && !stop_requested()) {
    nap(last_frames_ns);
  }
  return published;
}

int main_of(int argc, char** argv) {
  Files files;
  std::uint64_t count = 0;
  std::optional<std::uint64_t> bytes;
  CLI::App app("Publishes frames whose every byte is frame id % 256; the frame id is the producer's sequence.",
               "example_producer");
  files.declare(app);
  app.add_option("COUNT", count, "frames; 0: for ever")->required()->check(whole_number(0, UINT64_MAX));
  app.add_option("BYTES", bytes, "of a frame; else the stride of the stream's first pool")
      ->check(whole_number(1, INT32_MAX));
  app.footer(
      "Example:\n  example_producer docs/examples/driver_integration_example.toml config/defaults.toml 0 655360");
  if (const auto ended = parse_command_line(app, argc, argv)) return *ended;
  auto config = load_node_config(files.config, process_environment());
  auto defaults = load_node_config(files.defaults, process_environment());
  if (!config || !defaults) {
    return give_up("example_producer", config ? defaults.error() : config.error());
  }
  const Status ran = run({std::move(*config), std::move(*defaults), count, bytes});
  return ran ? exit_ok : give_up("example_producer", ran.error());
}

}  // namespace
}  // namespace examples

int main(int argc, char** argv) {
  return tensorpool::apps::run_program("example_producer", [&] { return examples::main_of(argc, argv); });
}
