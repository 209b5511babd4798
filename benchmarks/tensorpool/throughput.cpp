// How many frames a second go through, and what a consumer gets when there are more than it can take.
#include <algorithm>
#include <stdexcept>
#include <vector>

#include "support/work.hpp"
#include "world.hpp"

namespace tensorpool::bench {

// The producer copies frames in (--how copy) or writes them in place (write), never more than --window ahead of the
// consumer, which reads every byte with --touch 1. So no frame is lost, and the figure is what both ends sustain.
Json measure_throughput(Arguments& arguments) {
  const std::string how = arguments.text("how", "copy");
  const std::size_t bytes = arguments.number("bytes", 655'360);
  const std::size_t slots = arguments.number("slots", 8);
  const std::size_t window = arguments.number("window", std::max<std::size_t>(2, slots / 2));
  const bool touch = arguments.flag("touch", true);
  const std::size_t count = arguments.number("samples", 5000);
  arguments.check();

  World world({.slots = slots, .payload_bytes = bytes});
  Progress& progress = world.progress();
  const TensorLayout layout = bytes_layout(bytes);
  Process reader("consumer", [&] {
    Client client = world.connect("consumer");
    Consumer consumer = attach_consumer(client);
    meet(progress, 2);
    pin_to_core(consumer_core);
    Nanos begun = 0;
    std::uint64_t next = 0;
    std::uint64_t whole = 0;
    const auto take = [&](const Frame& frame) {
      if (begun == 0) begun = monotonic_now();
      if (touch) use(read_all(frame.unchecked()));
      whole += frame.still_valid() ? 1 : 0;
      next = frame.seq() + 1;
    };
    while (next < count) {
      if (consumer.poll(take, 1) == 0) pause_core();
      progress.received.store(next, std::memory_order_release);
    }
    const double each = static_cast<double>(monotonic_now() - begun) / static_cast<double>(whole);
    return Json{{"unit", "ns"},
                {"count", whole},
                {"mean", each},
                {"p50", each},
                {"frames_per_second", 1e9 / each},
                {"bytes_per_second", 1e9 / each * static_cast<double>(bytes)},
                {"footprint_bytes", slots * bytes},
                {"lost", losses_of(consumer.stats())}};
  });
  Process writer("publisher", [&] {
    Client client = world.connect("publisher");
    Producer producer = attach_producer(client);
    const std::vector<std::byte> payload(bytes, std::byte{1});
    meet(progress, 2);
    pin_to_core(producer_core);
    for (std::size_t sent = 0; sent < count; ++sent) {
      while (sent - progress.received.load(std::memory_order_acquire) >= window) pause_core();
      if (how == "copy") {
        use(static_cast<std::uint64_t>(producer.publish(layout, payload)));
      } else {
        publish_in_place(producer, layout, how == "write", 0);
      }
    }
    return Json();
  });
  Json figures = reader.result();
  (void)writer.result();
  return figures;
}

// The consumer takes --work-us for each frame, reading all of it again and again; the producer publishes --load-percent
// of what that allows. The samples are the ages of the frames, from when they were due until the consumer was done with
// them, of those that were whole.
Json measure_overload(Arguments& arguments) {
  const std::size_t bytes = arguments.number("bytes", 65'536);
  const std::size_t slots = arguments.number("slots", 64);
  const std::size_t work_us = arguments.number("work-us", 200);
  const std::size_t load_percent = arguments.number("load-percent", 200);
  const bool latest_only = arguments.flag("latest-only", false);
  const std::size_t count = arguments.number("samples", 20'000);
  arguments.check();

  World world({.slots = slots, .payload_bytes = bytes});
  const TensorLayout layout = bytes_layout(bytes);
  const double rate_hz = 1e6 / static_cast<double>(work_us) * static_cast<double>(load_percent) / 100;
  Process reader("consumer", [&] {
    Client client = world.connect("consumer");
    Consumer consumer =
        need(client.attach_consumer({.stream_id = first_stream, .start = StartAt::next, .latest_only = latest_only}));
    meet(world.progress(), 2);
    pin_to_core(consumer_core);
    Samples ages(count);
    std::uint64_t processed = 0;
    const auto work = [&](const Frame& frame) {
      const Nanos until = monotonic_now() + static_cast<Nanos>(work_us) * nanos_per_micro;
      const auto sum = frame.read<std::byte>([until](const TensorView<const std::byte> view) {
        std::uint64_t total = 0;
        do {
          total += read_all(view.elements);
        } while (monotonic_now() < until);
        return total;
      });
      ++processed;
      if (sum) ages.record(static_cast<double>(monotonic_now() - frame.timestamp_ns()));
    };
    while (!world.progress().stop.load(std::memory_order_relaxed)) {
      if (consumer.poll(work, 1) == 0) pause_core();
    }
    Json figures = ages.summary();
    figures["processed"] = processed;
    figures["valid_share"] = processed == 0 ? 0 : static_cast<double>(ages.size()) / static_cast<double>(processed);
    figures["lost"] = losses_of(consumer.stats());
    return figures;
  });
  Process writer("publisher", [&] {
    Client client = world.connect("publisher");
    Producer producer = attach_producer(client);
    meet(world.progress(), 2);
    pin_to_core(producer_core);
    send_at_rate(rate_hz, count, [&](Nanos due) { publish_in_place(producer, layout, true, due); });
    return Json();
  });
  (void)writer.result();
  world.progress().stop = true;
  return reader.result();
}

}  // namespace tensorpool::bench
