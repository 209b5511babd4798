// What waiting costs: the driver with nothing to do, and a consumer by the way it waits.
#include <stdexcept>
#include <vector>

#include "tensorpool/idle.hpp"
#include "world.hpp"

namespace tensorpool::bench {
namespace {

double percent_of(Nanos cpu_time, Nanos wall_time) {
  return 100 * static_cast<double>(cpu_time) / static_cast<double>(wall_time);
}

IdleMode mode_of(const std::string& name) {
  if (name == "spin") return IdleMode::spin;
  if (name == "yield") return IdleMode::yield;
  if (name == "backoff") return IdleMode::backoff;
  if (name == "nap" || name == "parked") return IdleMode::sleep;
  throw std::invalid_argument("--idle is spin, yield, backoff, nap or parked");
}

}  // namespace

// CPU of the process that holds driver and media driver, without clients and with --attached 1 a producer and a
// consumer that are quiet.
Json measure_idle(Arguments& arguments) {
  const std::size_t seconds = arguments.number("seconds", 4);
  const bool attached = arguments.flag("attached", false);
  arguments.check();

  World world({});
  std::vector<Process> clients;
  if (attached) {
    clients.emplace_back("clients", [&] {
      Client client = world.connect("quiet");
      const Producer producer = attach_producer(client);
      const Consumer consumer = attach_consumer(client);
      world.progress().ready = 1;
      wait_for_stop(world.progress());
      return Json();
    });
    await([&] { return world.progress().ready == 1; }, "the clients");
  }
  sleep_ns(nanos_per_second);  // starting is over
  const Nanos cpu_begun = world.driver().cpu_time_ns();
  const Nanos begun = monotonic_now();
  sleep_ns(static_cast<Nanos>(seconds) * nanos_per_second);
  const double percent = percent_of(world.driver().cpu_time_ns() - cpu_begun, monotonic_now() - begun);
  world.progress().stop = true;
  for (Process& client : clients) (void)client.result();
  return {{"unit", "% of a core"}, {"count", 1}, {"mean", percent}, {"p50", percent}};
}

// Latency from the time at which a frame was due, at a steady rate, and the CPU that the consumer takes: its polling
// thread alone, and its whole process with the client's conductor.
Json measure_wake_up(Arguments& arguments) {
  const std::string how = arguments.text("idle", "nap");
  const IdleMode mode = mode_of(how);
  const bool parked = how == "parked";  // in the kernel, until a producer that was told to wakes it
  const std::size_t nap_us = arguments.number("nap-us", how == "nap" ? 20 : 1000);
  const std::size_t rate_hz = arguments.number("rate", 1000);
  const std::size_t count = arguments.number("samples", 3000);
  arguments.check();

  World world({.slots = 1024, .payload_bytes = 64});
  const TensorLayout layout = bytes_layout(64);
  Process reader("consumer", [&] {
    Client client = world.connect("consumer");
    Consumer consumer = attach_consumer(client);
    meet(world.progress(), 2);
    pin_to_core(consumer_core);
    Samples samples(count);
    Idle idle(mode, static_cast<Nanos>(nap_us) * nanos_per_micro);
    const auto take = [&](const Frame& frame) {
      samples.record(static_cast<double>(monotonic_now() - frame.timestamp_ns()));
    };
    const Nanos begun = monotonic_now();
    const Nanos cpu_begun = thread_cpu_time_ns();
    while (!world.progress().stop.load(std::memory_order_relaxed)) {
      const int taken = consumer.poll(take);
      if (!parked) {
        idle.idle(taken);
      } else if (taken == 0) {
        (void)consumer.wait(10 * nanos_per_milli);
      }
    }
    Json figures = samples.summary();
    figures["cpu_percent"] = percent_of(thread_cpu_time_ns() - cpu_begun, monotonic_now() - begun);
    figures["lost"] = losses_of(consumer.stats());
    return figures;
  });
  Process writer("publisher", [&] {
    Client client = world.connect("publisher");
    Producer producer = need(client.attach_producer({.stream_id = first_stream, .wake_consumers = parked}));
    meet(world.progress(), 2);
    pin_to_core(producer_core);
    send_at_rate(static_cast<double>(rate_hz), count,
                 [&](Nanos due) { publish_in_place(producer, layout, false, due); });
    return Json();
  });
  await([&] { return world.progress().ready >= 2; }, "the parts");
  const Nanos begun = monotonic_now();
  const Nanos cpu_begun = reader.cpu_time_ns();
  (void)writer.result();
  const double process_percent = percent_of(reader.cpu_time_ns() - cpu_begun, monotonic_now() - begun);
  world.progress().stop = true;
  Json figures = reader.result();
  figures["process_cpu_percent"] = process_percent;
  return figures;
}

}  // namespace tensorpool::bench
