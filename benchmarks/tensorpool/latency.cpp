// How long a frame takes from one process to another, zero-copy: the payload untouched, or fully written and read.
#include <stdexcept>

#include "support/work.hpp"
#include "world.hpp"

namespace tensorpool::bench {
namespace {

constexpr std::uint32_t stream_there = first_stream;
constexpr std::uint32_t stream_back = first_stream + 1;

// Takes one frame if it is there, and uses it as told. True when it was whole.
bool take(Consumer& consumer, bool touch) {
  bool whole = false;
  consumer.poll(
      [&](const Frame& frame) {
        if (touch) use(read_all(frame.unchecked()));
        whole = frame.still_valid();
      },
      1);
  return whole;
}

}  // namespace

// Closed loop: one frame there, one back. Ring and payload are the same on both ways.
Json measure_round_trip(Arguments& arguments) {
  const std::size_t bytes = arguments.number("bytes", 64);
  const std::size_t slots = arguments.number("slots", 8);
  const bool touch = arguments.flag("touch", false);
  const std::size_t samples = arguments.number("samples", 100'000);
  arguments.check();

  World world({.streams = 2, .slots = slots, .payload_bytes = bytes});
  const TensorLayout layout = bytes_layout(bytes);
  Process echo("echo", [&] {
    Client client = world.connect("echo");
    Consumer consumer = attach_consumer(client, stream_there);
    Producer producer = attach_producer(client, stream_back);
    meet(world.progress(), 2);
    pin_to_core(consumer_core);
    while (!world.progress().stop.load(std::memory_order_relaxed)) {
      if (take(consumer, touch)) {
        publish_in_place(producer, layout, touch, 1);
      } else {
        pause_core();
      }
    }
    return Json{{"lost", losses_of(consumer.stats())}};
  });
  Process caller("caller", [&] {
    Client client = world.connect("caller");
    Consumer consumer = attach_consumer(client, stream_back);
    Producer producer = attach_producer(client, stream_there);
    meet(world.progress(), 2);
    pin_to_core(producer_core);
    return time_exchanges(samples,
                          [&](Nanos begun) {
                            publish_in_place(producer, layout, touch, begun);
                            while (!take(consumer, touch)) pause_core();
                          })
        .summary();
  });
  Json figures = caller.result();
  world.progress().stop = true;
  figures["lost"] = echo.result()["lost"];
  return figures;
}

// Open loop: from the time at which a frame was due until its consumer has it (and, touched, has read it all).
// The ring is long, so that a consumer which was held up skips nothing: what it missed would be missing here too.
Json measure_one_way(Arguments& arguments) {
  const std::size_t bytes = arguments.number("bytes", 64);
  const std::size_t slots = arguments.number("slots", 1024);
  const bool touch = arguments.flag("touch", false);
  const bool on_touch = arguments.flag("on-touch", !touch);
  const std::size_t rate_hz = arguments.number("rate", 10'000);
  const std::size_t count = arguments.number("samples", 10'000);
  arguments.check();

  World world({.slots = slots, .payload_bytes = bytes, .reserve_on_touch = on_touch});
  const TensorLayout layout = bytes_layout(bytes);
  Process reader("consumer", [&] {
    Client client = world.connect("consumer");
    Consumer consumer = attach_consumer(client);
    meet(world.progress(), 2);
    pin_to_core(consumer_core);
    Samples samples(count);
    const auto on_frame = [&](const Frame& frame) {
      if (touch) use(read_all(frame.unchecked()));
      const Nanos now = monotonic_now();
      if (frame.seq() >= count / 10 && frame.still_valid()) {
        samples.record(static_cast<double>(now - frame.timestamp_ns()));
      }
    };
    while (!world.progress().stop.load(std::memory_order_relaxed)) {
      if (consumer.poll(on_frame) == 0) pause_core();
    }
    Json figures = samples.summary();
    figures["lost"] = losses_of(consumer.stats());
    return figures;
  });
  Process writer("publisher", [&] {
    Client client = world.connect("publisher");
    Producer producer = attach_producer(client);
    meet(world.progress(), 2);
    pin_to_core(producer_core);
    send_at_rate(static_cast<double>(rate_hz), count,
                 [&](Nanos due) { publish_in_place(producer, layout, touch, due); });
    return Json();
  });
  (void)writer.result();
  sleep_ns(20 * nanos_per_milli);
  world.progress().stop = true;
  return reader.result();
}

}  // namespace tensorpool::bench
