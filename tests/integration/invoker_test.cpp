// A whole pipeline in one loop on real Aeron: what a tick costs its host beside the clock.
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "support/allocation_counter.hpp"
#include "support/rig.hpp"
#include "support/system_calls.hpp"

namespace tensorpool {
namespace {

// A client with a standalone producer and its consumer, and the loop around them.
class Pipeline {
 public:
  Pipeline(const ClientOptions& options, const ProducerOptions& producing)
      : client_(Client::connect(options).value()),
        producer_(client_.attach_producer(producing).value()),
        consumer_(client_.attach_consumer({.stream_id = producing.stream_id, .standalone = true}).value()) {}

  // Publishes a frame and reads it; the time of the tick.
  Nanos tick() {
    const Nanos now = monotonic_now();
    client_.do_work(now);
    static_cast<void>(producer_.publish(TensorLayout::raw_bytes(8), std::as_bytes(std::span(&now, 1))));
    consumer_.poll([this](const Frame&) { ++frames; });
    return now;
  }
  // Counters are made once, and libraries bind their symbols.
  void warm_up() {
    for (const Nanos until = monotonic_now() + nanos_per_second; tick() < until;) {
    }
    frames = 0;
  }
  int frames = 0;

 private:
  Client client_;
  Producer producer_;
  Consumer consumer_;
};

class InvokerTick : public RigTest {
 protected:
  void SetUp() override {
    rig().start_media();
    options = rig().client_options("invoker");
    options.invoker = true;
    options.announce_period_ns = nanos_per_second;
    producing.stream_id = 77;
    producing.standalone =
        StandaloneOptions{.pools = {{1, 4096}}, .nslots = 16, .base_dir = rig().base_dir(), .name_space = "alone"};
  }
  ClientOptions options;
  ProducerOptions producing;
};

TEST_F(InvokerTick, MakesNoSystemCallBesideTheClock) {
  const auto counted = count_system_calls([&]() -> std::function<void()> {
    const auto pipeline = std::make_shared<Pipeline>(options, producing);
    pipeline->warm_up();
    return [pipeline] {
      for (int i = 0; i < 5000; ++i) pipeline->tick();
      if (pipeline->frames < 4000) ::_exit(78);  // it would have counted an idle pipeline
    };
  });
  EXPECT_EQ(counted.failure, "");
  EXPECT_EQ(counted.calls, 0) << "system calls " << counted.first_few;
}

// The messages of each period (QoS, hello, announce) are made of strings; between them nothing is allocated.
TEST_F(InvokerTick, AllocatesNothingBetweenThePeriods) {
  Pipeline pipeline(options, producing);
  pipeline.warm_up();
  std::size_t fewest = ~std::size_t{0};
  std::size_t all = 0;
  for (int window = 0; window < 20; ++window) {
    const auto allocations = test::allocations_of([&] {
      for (int i = 0; i < 500; ++i) pipeline.tick();
    });
    fewest = std::min(fewest, allocations.count);
    all += allocations.count;
  }
  EXPECT_EQ(fewest, 0u);
  EXPECT_GT(pipeline.frames, 5000);
  EXPECT_LT(all, 5000u) << "something allocates per frame";
}

}  // namespace
}  // namespace tensorpool
