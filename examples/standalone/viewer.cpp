// A viewer without a driver: it follows what the camera announces, over any number of cameras one after the other.
#include <cstdio>
#include <tensorpool/tensorpool.hpp>

int main() {
  tensorpool::ClientOptions options;
  options.keep_waiting = tensorpool::keep_running;
  options.on_event = [](const tensorpool::Event& event) { std::printf("event: %s\n", event.message.c_str()); };
  auto client = tensorpool::Client::connect(options);
  auto viewer = client ? client->attach_consumer({.stream_id = 1001, .standalone = true}) : client.error();
  if (!viewer) return std::puts(viewer.error().message.c_str()), 1;
  const auto show = [](const tensorpool::Frame& frame) {
    if (auto n = frame.read<std::uint8_t>([](auto image) { return image.elements[0]; })) std::printf("frame %u\n", *n);
  };
  while (viewer->stats().delivered < 100 && tensorpool::keep_running()) viewer->poll(show);
}
