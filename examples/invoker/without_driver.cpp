// One loop without any driver: a standalone producer, its consumer, and a supervisor that watches both.
#include <cstdio>
#include <tensorpool/media_driver.hpp>
#include <tensorpool/supervisor.hpp>
#include <tensorpool/tensorpool.hpp>

namespace tp = tensorpool;

int main() {
  auto media = tp::MediaDriver::start({.use_living = true, .patience_ns = 12 * tp::nanos_per_second});
  auto client = media ? tp::Client::connect({.invoker = true, .keep_waiting = tp::keep_running}) : media.error();
  tp::ProducerOptions alone{.stream_id = 42};
  alone.standalone = tp::StandaloneOptions{.pools = {{1, 4096}}, .nslots = 16};
  auto producer = client ? client->attach_producer(alone) : client.error();
  auto consumer = producer ? client->attach_consumer({.stream_id = 42, .standalone = true}) : producer.error();
  auto supervisor = consumer ? tp::Supervisor::create({}) : consumer.error();
  if (!supervisor) return std::puts(supervisor.error().message.c_str()), 1;
  for (tp::Nanos now = 0, next = 0; consumer->stats().delivered < 300 && tp::keep_running();) {
    client->do_work(now = tp::monotonic_now());  // the clock is read once per tick
    supervisor->do_work(now);
    if (now >= next) producer->publish(tp::TensorLayout::raw_bytes(8), std::as_bytes(std::span(&now, 1)));
    if (now >= next) next = now + 10 * tp::nanos_per_milli;
    consumer->poll([](const tp::Frame&) {});
  }
  const auto [seen, frames] = std::pair(supervisor->snapshot(), consumer->stats().delivered);
  std::printf("frames %zu, producers %zu, consumers %zu\n", frames, seen.producers.size(), seen.consumers.size());
}
