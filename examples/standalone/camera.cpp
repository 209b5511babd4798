// A camera without a driver: it brings the media driver, makes the shared memory of its stream and announces it itself.
#include <chrono>
#include <cstdio>
#include <tensorpool/media_driver.hpp>
#include <tensorpool/tensorpool.hpp>
#include <thread>
#include <vector>

int main() {
  auto media = tensorpool::MediaDriver::start({.use_living = true, .patience_ns = 12 * tensorpool::nanos_per_second});
  auto client = media ? tensorpool::Client::connect({.keep_waiting = tensorpool::keep_running}) : media.error();
  tensorpool::ProducerOptions options{.stream_id = 1001};
  options.standalone =
      tensorpool::StandaloneOptions{.pools = {{.pool_id = 1, .stride_bytes = 640 * 480}}, .nslots = 16};
  auto producer = client ? client->attach_producer(options) : client.error();
  if (!producer) return std::puts(producer.error().message.c_str()), 1;
  std::printf("stream 1001 without a driver, epoch %llu\n", static_cast<unsigned long long>(producer->stats().epoch));
  std::fflush(stdout);
  const auto layout = tensorpool::TensorLayout::row_major(tensorpool::Dtype::uint8, {480, 640});
  std::vector<std::uint8_t> image(640 * 480);
  for (int n = 0; tensorpool::keep_running(); ++n) {
    image[0] = static_cast<std::uint8_t>(n);
    producer->publish(layout, std::as_bytes(std::span(image)));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}
