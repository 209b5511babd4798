// The smallest publisher: images of 1080 x 1920 pixels on stream 1001 of the driver in Aeron's default directory.
#include <tensorpool/tensorpool.hpp>

#include <chrono>
#include <thread>
#include <vector>

int main() {
  auto client = tensorpool::Client::connect({});
  if (!client) return 1;
  auto producer = client->attach_producer({.stream_id = 1001, .create = true});
  if (!producer) return 1;
  const auto layout = tensorpool::TensorLayout::row_major(tensorpool::Dtype::uint16, {1080, 1920});
  std::vector<std::uint16_t> image(1080 * 1920);
  for (std::uint16_t frame = 0; frame < 300; ++frame) {
    image[0] = frame;
    producer->publish(layout, std::as_bytes(std::span(image)));
    std::this_thread::sleep_for(std::chrono::milliseconds(33));
  }
}
