// The smallest consumer: the first pixel, which is the frame's number, of 100 images of stream 1001.
#include <tensorpool/tensorpool.hpp>

int main() {
  auto client = tensorpool::Client::connect({.keep_waiting = tensorpool::keep_running});
  auto consumer = client ? client->attach_consumer({.stream_id = 1001, .create = true}) : client.error();
  const auto show = [](const tensorpool::Frame& frame) {
    if (auto n = frame.read<std::uint16_t>([](auto image) { return image.elements[0]; })) std::printf("frame %u\n", *n);
  };
  while (consumer && consumer->stats().delivered < 100 && tensorpool::keep_running()) consumer->poll(show);
  return consumer ? 0 : (std::puts(consumer.error().message.c_str()), 1);
}
