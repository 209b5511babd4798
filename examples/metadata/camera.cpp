// A camera whose exposure time is doubled twice a second while it runs: each change is a version of the stream's
// metadata, and each frame carries the version that it was taken with.
#include <chrono>
#include <tensorpool/tensorpool.hpp>
#include <thread>

int main() {
  auto client = tensorpool::Client::connect({.keep_waiting = tensorpool::keep_running});
  auto producer = client ? client->attach_producer({.stream_id = 1001, .create = true}) : client.error();
  if (!producer) return std::puts(producer.error().message.c_str()), 1;
  static std::uint16_t image[480][640];
  const auto layout = tensorpool::TensorLayout::row_major(tensorpool::Dtype::uint16, {480, 640});
  if (auto named = producer->set_source("left camera", "an example"); !named) return 1;
  for (int exposure_us = 250; tensorpool::keep_running(); exposure_us = exposure_us < 8000 ? exposure_us * 2 : 250) {
    if (auto set = producer->set_attribute("exposure_us", std::to_string(exposure_us)); !set) return 1;
    for (int frame = 0; frame < 5; ++frame) {
      producer->publish(layout, std::as_bytes(std::span(image)));
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
}
