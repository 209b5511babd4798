// A consumer with a descriptor stream of its own, on which the camera sends it 5 images a second and nothing else.
#include <chrono>
#include <cstdio>
#include <tensorpool/tensorpool.hpp>
#include <thread>

using namespace tensorpool;

int main() {
  ClientOptions options;
  options.keep_waiting = keep_running;
  options.on_event = [](const Event& event) {
    if (event.kind == EventKind::configured) std::puts(event.message.c_str());
  };
  auto client = Client::connect(options);
  auto consumer =
      client ? client->attach_consumer({.stream_id = 1001, .create = true, .max_rate_hz = 5, .own_streams = true})
             : client.error();
  if (!consumer) return std::puts(consumer.error().message.c_str()), 1;
  while (consumer->stats().delivered < 15 && keep_running()) {
    if (consumer->poll([](const Frame&) {}) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const auto stats = consumer->stats();
  std::printf("%zu delivered, %zu not sent, %zu lost; descriptor stream %u\n", stats.delivered,
              stats[LossCause::rate_limited], stats.lost_total() - stats[LossCause::rate_limited],
              consumer->terms().descriptor_stream_id);
}
