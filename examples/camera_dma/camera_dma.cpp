// A camera whose device writes into claimed slots: `camera_dma` attaches to a driver, `camera_dma standalone` needs
// none.
#include "device.hpp"

int main(int argc, char**) {
  tensorpool::ProducerOptions options{.stream_id = 1001, .create = true};
  if (argc > 1) options.standalone = tensorpool::StandaloneOptions{.pools = {{1, 640 * 480}}, .nslots = 16};
  const auto say = [](const tensorpool::Event& event) { std::printf("%s\n", event.message.c_str()); };
  auto client = tensorpool::Client::connect({.keep_waiting = tensorpool::keep_running, .on_event = say});
  auto producer = client ? client->attach_producer(options) : client.error();
  if (!producer) return std::puts(producer.error().message.c_str()), 1;

  const auto layout =
      tensorpool::TensorLayout::row_major(tensorpool::Dtype::uint8, {480, 640});  // once, for all frames
  tensorpool::InflightQueue inflight(producer->slots());
  std::uint64_t next_id = 0;
  Device device;
  const auto register_one = [&] {
    auto claim = producer->claim(layout.extent_bytes());
    if (claim) device.queued.push_back({next_id, claim->payload().first(layout.extent_bytes())});
    return claim && inflight.push(next_id++, *std::move(claim));
  };
  while (producer->stats().published < 600 && tensorpool::keep_running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::lock_guard lock(device.mutex);
    for (const auto& buffer : std::exchange(device.done, {})) {
      auto claim = inflight.take(buffer.id);  // of an incomplete one it goes, and its sequence is given up
      if (claim && buffer.complete) std::move(*claim).commit(layout);
    }
    while (!inflight.full() && register_one()) continue;
  }
  const auto stats = producer->stats();
  std::printf("%zu frames published, %zu given up\n", std::size_t{stats.published}, std::size_t{stats.abandoned});
}
