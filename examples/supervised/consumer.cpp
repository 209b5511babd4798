// A consumer that takes every frame until it is told to be rate-limited, and then five a second.
#include <chrono>
#include <cstdio>
#include <tensorpool/tensorpool.hpp>
#include <thread>

int main() {
  auto client = tensorpool::Client::connect({.keep_waiting = tensorpool::keep_running});
  tensorpool::ConsumerOptions options{.stream_id = 1001, .create = true};
  options.max_rate_hz = 5;
  options.mode = tensorpool::ConsumerMode::stream;
  auto consumer = client ? client->attach_consumer(options) : client.error();
  if (!consumer) return std::puts(consumer.error().message.c_str()), 1;
  while (tensorpool::keep_running()) {
    consumer->poll([](const tensorpool::Frame&) {});
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}
