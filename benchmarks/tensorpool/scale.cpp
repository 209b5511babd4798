// Many streams in one process, many attachments, many processes.
#include <deque>
#include <stdexcept>
#include <vector>

#include "world.hpp"

namespace tensorpool::bench {
namespace {

constexpr std::uint32_t stream_of(std::size_t i) { return static_cast<std::uint32_t>(first_stream + i); }

// Counts what must not happen while attachments are only held.
struct Troubles {
  std::atomic<std::uint64_t> count{0};
};

bool is_trouble(EventKind kind) {
  return kind == EventKind::revoked || kind == EventKind::refused || kind == EventKind::driver_silent ||
         kind == EventKind::media_driver_lost;
}

}  // namespace

// Cost per frame of a process with --streams producers (--side publish), or consumers (--side consume), in turns. The
// rings have --slots slots between them, so that what is compared is the number of streams, not of bytes.
Json measure_streams(Arguments& arguments) {
  const std::size_t streams = arguments.number("streams", 1);
  const std::string side = arguments.text("side", "publish");
  const std::size_t frames = arguments.number("burst", 256);            // over all streams
  const std::size_t slots = arguments.number("slots", 1024) / streams;  // of each ring
  Bursts bursts{arguments.number("samples", 200), frames, 1500 * nanos_per_micro};
  arguments.check();
  if (side != "publish" && side != "consume") throw std::invalid_argument("--side is publish or consume");
  const bool consume = side == "consume";

  if (consume) bursts.warm_up = 2000;  // half a second: until each consumer reads its producer's publication alone

  World world({.streams = streams, .slots = slots, .payload_bytes = 64});
  Progress& progress = world.progress();
  const TensorLayout layout = bytes_layout(64);
  Process reader("consumer", [&] {
    Client client = world.connect("consumers");
    std::vector<Consumer> consumers;
    for (std::size_t i = 0; consume && i < streams; ++i) consumers.push_back(attach_consumer(client, stream_of(i)));
    meet(progress, 2);
    pin_to_core(consumer_core);
    if (!consume) return Json();
    const auto take = [](const Frame&) {};
    return receive_bursts(progress, bursts,
                          [&] {
                            int taken = 0;
                            for (Consumer& consumer : consumers) taken += consumer.poll(take, 64);
                            return taken;
                          })
        .summary();
  });
  Process writer("publisher", [&] {
    Client client = world.connect("publishers");
    std::vector<Producer> producers;
    for (std::size_t i = 0; i < streams; ++i) producers.push_back(attach_producer(client, stream_of(i)));
    meet(progress, 2);
    pin_to_core(producer_core);
    std::size_t turn = 0;
    const auto publish_next = [&] {
      publish_in_place(producers[turn], layout, false, 0);
      turn = turn + 1 == streams ? 0 : turn + 1;
      return true;
    };
    if (!consume) return time_bursts(bursts, publish_next).summary();
    send_bursts(progress, bursts, publish_next);
    return Json();
  });
  Json consumed = reader.result();
  Json published = writer.result();
  return consume ? consumed : published;
}

// How long one process takes to attach consumers to --streams streams that are there already.
Json measure_join(Arguments& arguments) {
  const std::size_t streams = arguments.number("streams", 64);
  arguments.check();

  World world({.streams = streams, .slots = 16, .payload_bytes = 4096});
  Process writer("publishers", [&] {
    Client client = world.connect("publishers");
    std::vector<Producer> producers;
    for (std::size_t i = 0; i < streams; ++i) producers.push_back(attach_producer(client, stream_of(i)));
    world.progress().ready = 1;
    const TensorLayout layout = bytes_layout(4096);
    while (!world.progress().stop) {
      for (Producer& producer : producers) publish_in_place(producer, layout, false, 0);
      sleep_ns(5 * nanos_per_milli);
    }
    return Json();
  });
  await([&] { return world.progress().ready == 1; }, "the publishers");
  Process reader("consumers", [&] {
    Samples samples(streams);
    Client client = world.connect("consumers");
    std::vector<Consumer> consumers;
    const Nanos begun = monotonic_now();
    for (std::size_t i = 0; i < streams; ++i) {
      const Nanos attaching = monotonic_now();
      consumers.push_back(attach_consumer(client, stream_of(i)));
      samples.record(static_cast<double>(monotonic_now() - attaching));
    }
    const Nanos attached = monotonic_now();
    for (std::size_t seen = 0; seen < streams;) {
      seen = 0;
      for (Consumer& consumer : consumers) {
        consumer.poll([](const Frame&) {});
        seen += consumer.stats().delivered > 0 ? 1 : 0;
      }
      if (monotonic_now() - attached > 20 * nanos_per_second) throw std::runtime_error("no frame on some stream");
    }
    Json figures = samples.summary();
    figures["all_attached_ms"] = static_cast<double>(attached - begun) / 1e6;
    figures["frames_of_all_ms"] = static_cast<double>(monotonic_now() - begun) / 1e6;
    return figures;
  });
  Json figures = reader.result();
  world.progress().stop = true;
  (void)writer.result();
  return figures;
}

// --clients processes, started all at once or --one-by-one, hold --attachments consumers between them for --seconds.
// `troubles` counts leases that ended,
// attaches that were refused and connections that were lost meanwhile: a keepalive that was missed shows there.
Json measure_attachments(Arguments& arguments) {
  const std::size_t clients = arguments.number("clients", 50);
  const std::size_t attachments = arguments.number("attachments", 1000);
  const std::size_t streams = arguments.number("streams", 20);
  const std::size_t seconds = arguments.number("seconds", 6);
  const bool one_by_one = arguments.flag("one-by-one", false);
  arguments.check();

  World world({.streams = streams, .slots = 16, .payload_bytes = 64});
  const Shared<Troubles> troubles(world.scratch(), "troubles");
  std::vector<Process> processes;
  const auto all_are_there = [&] {
    for (Process& process : processes) process.require_running();
    return world.progress().ready >= processes.size();
  };
  const Nanos begun = monotonic_now();
  for (std::size_t c = 0; c < clients; ++c) {
    if (one_by_one) await(all_are_there, "a client");
    const std::size_t own = attachments / clients + (c < attachments % clients ? 1 : 0);
    processes.emplace_back("client", [&, own] {
      Samples samples(own);
      ClientOptions options = world.client_options("client");
      options.on_event = [&](const Event& event) { troubles->count += is_trouble(event.kind) ? 1 : 0; };
      Client client = need(Client::connect(options));
      std::deque<Consumer> consumers;
      for (std::size_t i = 0; i < own; ++i) {
        const Nanos attaching = monotonic_now();
        consumers.push_back(attach_consumer(client, stream_of(i % streams)));
        samples.record(static_cast<double>(monotonic_now() - attaching));
      }
      world.progress().ready.fetch_add(1);
      wait_for_stop(world.progress());
      std::size_t attached = 0;
      for (const Consumer& consumer : consumers) attached += consumer.attached() ? 1 : 0;
      Json figures = samples.summary();
      figures["attached"] = attached;
      return figures;
    });
  }
  await(all_are_there, "the clients", 120 * nanos_per_second);
  const Nanos all_there = monotonic_now();
  const std::uint64_t while_attaching = troubles->count.exchange(0);
  const Nanos cpu_begun = world.driver().cpu_time_ns();
  sleep_ns(static_cast<Nanos>(seconds) * nanos_per_second);
  const auto held_ns = static_cast<double>(monotonic_now() - all_there);
  const double cpu_percent = 100 * static_cast<double>(world.driver().cpu_time_ns() - cpu_begun) / held_ns;
  const std::uint64_t while_held = troubles->count;
  world.progress().stop = true;
  std::size_t attached = 0;
  double slowest_p50 = 0;
  for (Process& process : processes) {
    const Json seen = process.result();
    attached += seen["attached"].get<std::size_t>();
    slowest_p50 = std::max(slowest_p50, seen["p50"].get<double>());
  }
  return {{"unit", "ns"},
          {"count", attachments},
          {"p50", slowest_p50},
          {"all_attached_ms", static_cast<double>(all_there - begun) / 1e6},
          {"attached_at_the_end", attached},
          {"troubles_while_attaching", while_attaching},
          {"troubles", while_held},
          {"driver_cpu_percent", cpu_percent}};
}

}  // namespace tensorpool::bench
