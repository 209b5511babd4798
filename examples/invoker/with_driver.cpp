// One loop runs everything: the driver, a client with its producer and consumer, and the application. The only other
// thread is the media driver's.
#include <cstdio>
#include <tensorpool/driver.hpp>
#include <tensorpool/media_driver.hpp>
#include <tensorpool/tensorpool.hpp>

namespace tp = tensorpool;

tp::Status run(tp::Driver& driver) {
  tp::Nanos now = 0;
  const auto tick = [&] {  // also while an attach waits
    driver.do_work(now = tp::monotonic_now());
    return now;
  };
  auto client = tp::Client::connect({.invoker = true, .wait = tick, .keep_waiting = tp::keep_running});
  auto producer = client ? client->attach_producer({.stream_id = 42}) : client.error();
  auto consumer = producer ? client->attach_consumer({.stream_id = 42}) : producer.error();
  if (!consumer) return consumer.error();
  for (tp::Nanos next = 0; consumer->stats().delivered < 50 && tp::keep_running();) {
    client->do_work(tick());  // the clock is read once per tick
    if (now >= next) producer->publish(tp::TensorLayout::raw_bytes(8), std::as_bytes(std::span(&now, 1)));
    if (now >= next) next = now + 10 * tp::nanos_per_milli;
    consumer->poll([](const tp::Frame& frame) { std::printf("frame %llu\n", 0ULL + frame.seq()); });
  }
  return {};
}

int main() {
  tp::driver::DriverConfig config;
  config.shm.name_space = "invoker";
  config.policies.cleanup_shm_on_exit = true;
  config.profiles = {{.name = "small", .header_nslots = 16, .payload_pools = {{1, 4096}}}};
  config.streams = {{"camera", 42, "small"}};
  auto media = tp::MediaDriver::start({.use_living = true, .patience_ns = 12 * tp::nanos_per_second});
  auto driver = media ? tp::Driver::create(config) : media.error();
  const tp::Status ran = driver ? run(*driver) : driver.error();
  if (driver) driver->request_shutdown();
  while (driver && !driver->finished()) driver->do_work(tp::monotonic_now());
  return ran ? 0 : (std::puts(ran.error().message.c_str()), 1);
}
