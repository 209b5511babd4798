// A supervisor in its host's loop: wants every consumer of stream 1001 to be rate-limited, shows each second who
// consumes and how fast, and ends with the first producer that is gone.
#include <chrono>
#include <cstdio>
#include <tensorpool/tensorpool.hpp>
#include <thread>

int main() {
  bool producer_gone = false;
  tensorpool::SupervisorOptions options;
  options.policies = {{.stream_id = 1001, .rate_limited = true}};
  options.on_event = [&](const tensorpool::MonitorEvent& event) {
    std::printf("%s%s\n", is_alert(event) ? "ALERT " : "", event.message.c_str());
    producer_gone = producer_gone || event.kind == tensorpool::MonitorEventKind::producer_gone;
  };
  auto supervisor = tensorpool::Supervisor::create(options);
  if (!supervisor) return std::puts(supervisor.error().message.c_str()), 1;
  tensorpool::Nanos next = 0;
  while (!producer_gone && tensorpool::keep_running()) {
    const tensorpool::Nanos now = tensorpool::monotonic_now();
    supervisor->do_work(now);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (now < next) continue;
    next = now + tensorpool::nanos_per_second;
    for (const auto& consumer : supervisor->snapshot().consumers) {
      std::printf("consumer %u: %.0f frames a second, %s\n", consumer.consumer_id, consumer.frames_per_s,
                  consumer.rate_limited ? "rate-limited" : "all it can");
    }
  }
}
