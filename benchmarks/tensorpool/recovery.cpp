// How long it takes from nothing to the first frame, and back to a frame when a part was lost.
#include <csignal>
#include <stdexcept>
#include <utility>

#include "world.hpp"

namespace tensorpool::bench {
namespace {

struct Sighting {
  std::atomic<std::uint64_t> epoch{0};
  std::atomic<Nanos> at{0};  // of the newest frame
};

constexpr std::size_t bytes = 4096;

// The place of one that was killed is taken until its lease ends.
Producer attach_when_free(Client& client) {
  for (;;) {
    auto producer = client.attach_producer({.stream_id = first_stream});
    if (producer || producer.error().code != ErrorCode::refused) return need(std::move(producer));
    sleep_ns(20 * nanos_per_milli);
  }
}

Json publish_until_stopped(World& world) {
  Client client = world.connect("publisher");
  Producer producer = attach_when_free(client);
  const TensorLayout layout = bytes_layout(bytes);
  const std::vector<std::byte> payload(bytes, std::byte{1});
  while (!world.progress().stop) {
    (void)producer.publish(layout, payload);
    sleep_ns(nanos_per_milli);
  }
  return {};
}

Json watch_until_stopped(World& world, Sighting& newest) {
  Client client = world.connect("consumer");
  Consumer consumer = attach_consumer(client);
  while (!world.progress().stop) {
    consumer.poll([&](const Frame& frame) {
      newest.epoch = frame.epoch();
      newest.at = monotonic_now();
    });
    sleep_ns(200 * nanos_per_micro);
  }
  return {};
}

Json figure_of(Nanos duration) {
  const auto ns = static_cast<double>(duration);
  return {{"unit", "ns"}, {"count", 1}, {"mean", ns}, {"p50", ns}, {"milliseconds", ns / 1e6}};
}

}  // namespace

// From before the media driver is started until a consumer has a frame, everybody starting at once.
Json measure_start_up(Arguments& arguments) {
  arguments.check();
  const Nanos begun = monotonic_now();
  World world({.slots = 16, .payload_bytes = bytes});
  const Nanos driver_serves = monotonic_now();
  const Shared<Sighting> newest(world.scratch(), "sighting");
  Process writer("publisher", [&] { return publish_until_stopped(world); });
  Process reader("consumer", [&] { return watch_until_stopped(world, *newest); });
  await([&] { return newest->at != 0; }, "a frame");
  Json figures = figure_of(newest->at - begun);
  figures["driver_serves_ms"] = static_cast<double>(driver_serves - begun) / 1e6;
  world.progress().stop = true;
  (void)writer.result();
  (void)reader.result();
  return figures;
}

// --lost producer: its process is killed, another one is started at once; until the first frame of the next epoch.
// --lost media-driver: killed, another one is started at once; until the next frame of the same clients.
// --lost media-driver-restart: ended in good order and started again at once; likewise.
Json measure_recovery(Arguments& arguments) {
  const std::string lost = arguments.text("lost", "producer");
  arguments.check();
  const bool killed_media = lost == "media-driver";
  if (lost != "producer" && !killed_media && lost != "media-driver-restart") {
    throw std::invalid_argument("--lost is producer, media-driver or media-driver-restart");
  }
  World world({.slots = 16, .payload_bytes = bytes, .separate_media_driver = lost != "producer"});
  const Shared<Sighting> newest(world.scratch(), "sighting");
  std::optional<Process> writer(std::in_place, "publisher", [&] { return publish_until_stopped(world); });
  Process reader("consumer", [&] { return watch_until_stopped(world, *newest); });
  await([&] { return newest->at != 0; }, "a frame");
  sleep_ns(500 * nanos_per_milli);
  const std::uint64_t epoch = newest->epoch;
  const Nanos begun = monotonic_now();
  if (lost == "producer") {
    writer->kill();
    writer.emplace("publisher", [&] { return publish_until_stopped(world); });
  } else {
    if (!killed_media) stop(world.media_driver());
    world.restart_media_driver();
  }
  // What is on its way over memory that is mapped still, or in the dead media driver's log, is no recovery.
  await([&] { return newest->epoch != epoch; }, "a frame of the next epoch", 90 * nanos_per_second);
  Json figures = figure_of(monotonic_now() - begun);
  world.progress().stop = true;
  (void)writer->result();
  (void)reader.result();
  return figures;
}

}  // namespace tensorpool::bench
