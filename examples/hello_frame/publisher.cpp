// The smallest publisher: 300 images of 1080 x 1920 pixels on stream 1001 of the driver in Aeron's default directory.
#include <chrono>
#include <tensorpool/tensorpool.hpp>
#include <thread>

int main() {
  static std::uint16_t image[1080][1920];
  auto client = tensorpool::Client::connect({.keep_waiting = tensorpool::keep_running});
  auto producer = client ? client->attach_producer({.stream_id = 1001, .create = true}) : client.error();
  if (!producer) return std::puts(producer.error().message.c_str()), 1;
  const auto layout = tensorpool::TensorLayout::row_major(tensorpool::Dtype::uint16, {1080, 1920});
  for (; image[0][0] < 300 && tensorpool::keep_running(); ++image[0][0]) {
    producer->publish(layout, std::as_bytes(std::span(image)));
    std::this_thread::sleep_for(std::chrono::milliseconds(33));
  }
}
