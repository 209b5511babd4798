// What a consumer that stops, dies or is slow does to its producer and to the other consumers: nothing, it must be.
#include <csignal>
#include <stdexcept>
#include <vector>

#include "support/work.hpp"
#include "tensorpool/idle.hpp"
#include "world.hpp"

namespace tensorpool::bench {
namespace {

struct Plan {
  std::string fault;
  std::size_t bytes;
  std::size_t slots;
  std::size_t rate_hz;
  std::size_t seconds;
  [[nodiscard]] std::size_t frames() const { return rate_hz * seconds; }
};

// Takes frames until told to stop; a slow one takes 20 ms for each.
Json consume(World& world, bool slow) {
  pin_to_core(consumer_core);
  Client client = world.connect("consumer");
  Consumer consumer = attach_consumer(client);
  meet(world.progress(), 4);
  Idle idle(IdleMode::sleep, 200 * nanos_per_micro);
  const auto take = [slow](const Frame& frame) {
    use(read_all(frame.unchecked()));
    if (slow) sleep_ns(20 * nanos_per_milli);
  };
  while (!world.progress().stop) idle.idle(consumer.poll(take, slow ? 1 : 64));
  const ConsumerStats stats = consumer.stats();
  return {{"delivered", stats.delivered}, {"lost", stats.lost_total()}, {"causes", losses_of(stats)}};
}

// The time of each publish call alone, at a steady rate.
Json publish(World& world, const Plan& plan) {
  Client client = world.connect("publisher");
  Producer producer = attach_producer(client);
  const TensorLayout layout = bytes_layout(plan.bytes);
  const std::vector<std::byte> payload(plan.bytes, std::byte{1});
  meet(world.progress(), 4);
  pin_to_core(producer_core);
  Samples samples(plan.frames());
  send_at_rate(static_cast<double>(plan.rate_hz), plan.frames(), [&](Nanos) {
    const Nanos begun = monotonic_now();
    use(static_cast<std::uint64_t>(producer.publish(layout, payload)));
    samples.record(static_cast<double>(monotonic_now() - begun));
  });
  Json figures = samples.summary();
  figures["published"] = producer.stats().published;
  figures["descriptors_dropped"] = producer.stats().descriptors_dropped;
  return figures;
}

void strike(const std::string& fault, Process& victim) {
  if (fault == "stop") victim.signal(SIGSTOP);
  if (fault == "kill") victim.kill();
}

}  // namespace

// Three consumers, one of which stops (SIGSTOP), is killed, or is slow, a quarter of the way. --fault none: none does.
Json measure_fault(Arguments& arguments) {
  const Plan plan{arguments.text("fault", "none"), arguments.number("bytes", 4096), arguments.number("slots", 1024),
                  arguments.number("rate", 2000), arguments.number("seconds", 6)};
  arguments.check();
  if (plan.fault != "none" && plan.fault != "stop" && plan.fault != "kill" && plan.fault != "slow") {
    throw std::invalid_argument("--fault is none, stop, kill or slow");
  }
  World world({.slots = plan.slots, .payload_bytes = plan.bytes});
  Process victim("victim", [&] { return consume(world, plan.fault == "slow"); });
  std::vector<Process> others;
  for (int i = 0; i < 2; ++i) others.emplace_back("consumer", [&] { return consume(world, false); });
  Process publisher("publisher", [&] { return publish(world, plan); });
  await([&] { return world.progress().ready >= 4; }, "the parts");
  sleep_ns(static_cast<Nanos>(plan.seconds) * nanos_per_second / 4);
  strike(plan.fault, victim);
  Json figures = publisher.result();
  sleep_ns(100 * nanos_per_milli);
  world.progress().stop = true;
  std::uint64_t lost = 0;
  std::uint64_t missing = 0;
  Json causes = Json::array();
  for (Process& other : others) {
    const Json seen = other.result();
    lost += seen["lost"].get<std::uint64_t>();
    missing += plan.frames() - seen["delivered"].get<std::uint64_t>();
    causes.push_back(seen["causes"]);
  }
  figures["others_lost"] = lost;
  figures["others_missing"] = missing;
  figures["others_causes"] = causes;
  return figures;
}

}  // namespace tensorpool::bench
