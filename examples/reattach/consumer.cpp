// Reads for ever, whatever happens to the drivers, and prints what happens: events, and the first frame of each epoch.
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
  auto consumer = client ? client->attach_consumer({.stream_id = 1001, .create = true}) : client.error();
  if (!consumer) return std::puts(consumer.error().message.c_str()), 1;
  std::uint64_t epoch = 0;
  const auto show = [&epoch](const tensorpool::Frame& frame) {
    if (std::exchange(epoch, frame.epoch()) == frame.epoch()) return;
    std::printf("first frame of epoch %llu\n", 0ULL + epoch);
    std::fflush(stdout);
  };
  for (; tensorpool::keep_running(); std::this_thread::sleep_for(std::chrono::milliseconds(1))) consumer->poll(show);
}
