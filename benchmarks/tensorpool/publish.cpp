// What publishing costs the thread that publishes.
#include <stdexcept>
#include <vector>

#include "support/work.hpp"
#include "world.hpp"

namespace tensorpool::bench {
namespace {

// The driver reads descriptors once a millisecond, and so do the consumers of these measures.
constexpr Nanos drain_pause_ns = 1500 * nanos_per_micro;

Nanos pause_after(std::size_t bytes) { return bytes < 65'536 ? drain_pause_ns : 0; }

Bursts bursts_of(Arguments& arguments, std::size_t bytes) {
  return {arguments.number("samples", 200), arguments.number("burst", 500), pause_after(bytes)};
}

}  // namespace

// --how copy: publish(), which copies the payload in; claim: claim and commit, payload untouched; write: claimed,
// written in place by 64-bit words, committed.
Json measure_publish(Arguments& arguments) {
  const std::string how = arguments.text("how", "copy");
  const std::size_t bytes = arguments.number("bytes", 0);
  const std::size_t slots = arguments.number("slots", 64);
  const bool on_touch = arguments.flag("on-touch", false);
  const Bursts bursts = bursts_of(arguments, bytes);
  arguments.check();
  if (how != "copy" && how != "claim" && how != "write") throw std::invalid_argument("--how is copy, claim or write");

  World world({.slots = slots, .payload_bytes = bytes, .reserve_on_touch = on_touch});
  Process publisher("publisher", [&] {
    Client client = world.connect("publisher");
    Producer producer = attach_producer(client);
    const TensorLayout layout = bytes_layout(bytes);
    const std::vector<std::byte> payload(bytes, std::byte{1});
    pin_to_core(producer_core);
    const auto publish = [&] {
      if (how == "copy") {
        use(static_cast<std::uint64_t>(producer.publish(layout, payload)));
      } else {
        publish_in_place(producer, layout, how == "write", 0);
      }
    };
    Json figures = time_bursts(bursts, publish).summary();
    figures["bytes_per_second"] = static_cast<double>(bytes) * 1e9 / figures["p50"].get<double>();
    figures["descriptors_dropped"] = producer.stats().descriptors_dropped;
    figures["footprint_bytes"] = slots * bytes;
    return figures;
  });
  return publisher.result();
}

// Publishing to --consumers processes, which all nap on one core, so that none of them takes the publisher's.
Json measure_fan_out(Arguments& arguments) {
  const std::size_t bytes = arguments.number("bytes", 64);
  const std::size_t consumers = arguments.number("consumers", 1);
  const std::size_t slots = arguments.number("slots", 1024);
  const bool touch = arguments.flag("touch", false);
  const Bursts bursts{arguments.number("samples", 500), arguments.number("burst", 64), drain_pause_ns};
  arguments.check();

  World world({.slots = slots, .payload_bytes = bytes});
  const auto parts = static_cast<std::uint32_t>(consumers + 1);
  std::vector<Process> readers;
  for (std::size_t i = 0; i < consumers; ++i) {
    readers.emplace_back("consumer", [&] {
      pin_to_core(consumer_core);
      Client client = world.connect("consumer");
      Consumer consumer = attach_consumer(client);
      meet(world.progress(), parts);
      const auto take = [touch](const Frame& frame) {
        if (touch) use(read_all(frame.unchecked()));
      };
      while (!world.progress().stop) {
        if (consumer.poll(take, 64) == 0) sleep_ns(nanos_per_milli);
      }
      return Json{{"delivered", consumer.stats().delivered}, {"lost", consumer.stats().lost_total()}};
    });
  }
  Process publisher("publisher", [&] {
    Client client = world.connect("publisher");
    Producer producer = attach_producer(client);
    const TensorLayout layout = bytes_layout(bytes);
    pin_to_core(producer_core);
    meet(world.progress(), parts);
    Json figures = time_bursts(bursts, [&] { publish_in_place(producer, layout, touch, 0); }).summary();
    figures["published"] = producer.stats().published;
    figures["descriptors_dropped"] = producer.stats().descriptors_dropped;
    return figures;
  });
  Json figures = publisher.result();
  sleep_ns(20 * nanos_per_milli);
  world.progress().stop = true;
  std::uint64_t lost = 0;
  for (Process& reader : readers) lost += reader.result()["lost"].get<std::uint64_t>();
  figures["lost"] = lost;
  return figures;
}

}  // namespace tensorpool::bench
