// Watches a tensorpool for five seconds: rates, lags and drops of everybody, and what happens meanwhile.
#include <chrono>
#include <cstdio>
#include <tensorpool/tensorpool.hpp>
#include <thread>

int main() {
  tensorpool::MonitorOptions options;
  options.descriptors = true;
  options.on_event = [](const tensorpool::MonitorEvent& event) { std::printf("%s\n", event.message.c_str()); };
  auto monitor = tensorpool::Monitor::open({}, options);
  if (!monitor) return std::puts(monitor.error().message.c_str()), 1;
  for (int second = 1; second <= 5 && tensorpool::keep_running(); ++second) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const tensorpool::MonitorSnapshot seen = monitor->snapshot();
    for (const auto& p : seen.producers) {
      std::printf("stream %u producer %u: %.1f Hz, %.1f MB/s\n", p.stream_id, p.producer_id, p.frames_per_s,
                  p.bytes_per_s.value_or(0) / 1e6);
    }
    for (const auto& c : seen.consumers) {
      std::printf("stream %u consumer %u: %.1f Hz, %llu behind, %llu dropped\n", c.stream_id, c.consumer_id,
                  c.frames_per_s, static_cast<unsigned long long>(c.lag_frames.value_or(0)),
                  static_cast<unsigned long long>(c.drops_gap + c.drops_late));
    }
  }
}
