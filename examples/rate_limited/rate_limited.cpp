// A display: at most 5 images a second of a camera that delivers 30.
#include <chrono>
#include <cstdio>
#include <tensorpool/tensorpool.hpp>
#include <thread>

int main() {
  auto client = tensorpool::Client::connect({.keep_waiting = tensorpool::keep_running});
  auto consumer =
      client ? client->attach_consumer({.stream_id = 1001, .create = true, .max_rate_hz = 5}) : client.error();
  if (!consumer) return std::puts(consumer.error().message.c_str()), 1;
  const auto show = [](const tensorpool::Frame& frame) {
    if (auto n = frame.read<std::uint16_t>([](auto image) { return image.elements[0]; })) std::printf("image %u\n", *n);
  };
  while (consumer->stats().delivered < 15 && tensorpool::keep_running()) {
    if (consumer->poll(show) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const auto stats = consumer->stats();
  std::printf("%zu sequences = %zu shown + %zu above the rate + %zu lost\n", stats.accounted, stats.delivered,
              stats[tensorpool::LossCause::rate_limited],
              stats.accounted - stats.delivered - stats[tensorpool::LossCause::rate_limited]);
}
