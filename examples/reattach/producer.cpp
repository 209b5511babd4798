// Publishes for ever, whatever happens to the drivers, and prints what happens.
#include <chrono>
#include <cstdio>
#include <tensorpool/tensorpool.hpp>
#include <thread>

int main() {
  tensorpool::ClientOptions options;
  options.keep_waiting = tensorpool::keep_running;
  options.on_event = [](const tensorpool::Event& event) {
    std::printf("%s: %s\n", std::string(to_string(event.kind)).c_str(), event.message.c_str());
    std::fflush(stdout);
  };
  auto client = tensorpool::Client::connect(options);
  auto producer = client ? client->attach_producer({.stream_id = 1001, .create = true}) : client.error();
  if (!producer) return std::puts(producer.error().message.c_str()), 1;
  const std::uint64_t word = 4711;
  while (tensorpool::keep_running()) {
    producer->publish(tensorpool::TensorLayout::raw_bytes(sizeof word), std::as_bytes(std::span(&word, 1)));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}
