// A whole pipeline in one loop on real Aeron, with a driver and without: what a tick costs its host.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>

#include "support/allocation_counter.hpp"
#include "support/clock_reads.hpp"
#include "support/rig.hpp"
#include "support/system_calls.hpp"
#include "tensorpool/driver.hpp"
#include "tensorpool/supervisor.hpp"

namespace tensorpool {
namespace {

constexpr std::uint32_t camera_stream = 77;

// A client with a producer and its consumer, a supervisor, a driver or none, and the loop around them.
class Pipeline {
 public:
  Pipeline(const ClientOptions& where, const ProducerOptions& producing, std::optional<driver::DriverConfig> config) {
    ClientOptions options = where;
    if (config) {
      driver_.emplace(Driver::create(*std::move(config)).value());
      options.wait = [this] { return run_driver(); };
    }
    client_.emplace(Client::connect(options).value());
    producer_.emplace(client_->attach_producer(producing).value());
    const bool alone = producing.standalone.has_value();
    consumer_.emplace(client_->attach_consumer({.stream_id = camera_stream, .standalone = alone}).value());
    supervisor_.emplace(Supervisor::create({.where = where}).value());
  }
  ~Pipeline() {
    consumer_.reset();
    producer_.reset();
    client_.reset();
    if (driver_) driver_->request_shutdown();
    while (driver_ && !driver_->finished()) run_driver();
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Publishes a frame and reads it; the time of the tick.
  Nanos tick() {
    const Nanos now = run_driver();  // the clock is read here
    client_->do_work(now);
    supervisor_->do_work(now);
    static_cast<void>(
        producer_->publish(TensorLayout::raw_bytes(8), std::as_bytes(std::span(&now, 1)), {.timestamp_ns = now}));
    consumer_->poll([this](const Frame&) { ++frames; });
    return now;
  }
  void tick(int times) {
    for (int i = 0; i < times; ++i) tick();
  }
  // Counters are made once, and libraries bind their symbols.
  void warm_up() {
    for (const Nanos until = monotonic_now() + nanos_per_second; tick() < until;) {
    }
    frames = 0;
  }
  [[nodiscard]] bool supervised() const {
    const MonitorSnapshot seen = supervisor_->snapshot();
    return seen.producers.size() == 1 && seen.consumers.size() == 1;
  }
  [[nodiscard]] bool balances() const {
    const ConsumerStats stats = consumer_->stats();
    return stats.accounted == stats.delivered + stats.abandoned + stats.lost_total();
  }
  int frames = 0;

 private:
  Nanos run_driver() {
    const Nanos now = monotonic_now();
    if (driver_) driver_->do_work(now);
    return now;
  }

  std::optional<Driver> driver_;
  std::optional<Client> client_;
  std::optional<Producer> producer_;
  std::optional<Consumer> consumer_;
  std::optional<Supervisor> supervisor_;
};

enum class Owner { driver, producer };

class InvokerTick : public RigTest, public testing::WithParamInterface<Owner> {
 protected:
  void SetUp() override { media_ = rig().spawn_media(); }
  void TearDown() override {
    if (media_) end(*media_);
    RigTest::TearDown();
  }

  std::unique_ptr<Pipeline> make() {
    ClientOptions options = rig().client_options("invoker", &events);
    options.invoker = true;
    options.announce_period_ns = nanos_per_second;
    ProducerOptions producing{.stream_id = camera_stream};
    if (GetParam() == Owner::driver) return std::make_unique<Pipeline>(options, producing, driver_config());
    producing.standalone =
        StandaloneOptions{.pools = {{1, 4096}}, .nslots = 16, .base_dir = rig().base_dir(), .name_space = "alone"};
    return std::make_unique<Pipeline>(options, producing, std::nullopt);
  }
  EventLog events;

 private:
  // A process of its own: count_system_calls forks, and what a child does that was forked beside other threads may
  // hang.
  std::unique_ptr<Child> media_;

  driver::DriverConfig driver_config() {
    driver::DriverConfig config;
    config.driver.aeron_dir = rig().aeron_dir();
    config.shm.base_dir = rig().base_dir();
    config.shm.name_space = "loop";
    config.policies.cleanup_shm_on_exit = true;
    config.profiles = {{.name = "small", .header_nslots = 16, .payload_pools = {{1, 4096}}}};
    config.streams = {{"camera", camera_stream, "small"}};
    return config;
  }
};

// What belongs to a period (a supervisor's look at the counters, a driver's at its directories) may call the system.
TEST_P(InvokerTick, MakesNoSystemCallBetweenThePeriods) {
  constexpr int windows = 40;
  const auto counted = count_system_calls(
      [&]() -> std::function<void()> {
        const std::shared_ptr<Pipeline> pipeline = make();
        pipeline->warm_up();
        return [pipeline] {
          pipeline->frames = 0;
          pipeline->tick(500);
          if (pipeline->frames < 400) ::_exit(78);  // it would have counted an idle pipeline
        };
      },
      windows);
  EXPECT_EQ(counted.failure, "");
  EXPECT_EQ(counted.fewest, 0) << "system calls " << counted.first_few;
  EXPECT_LT(counted.calls, windows * 500 / 10) << "something calls the system per frame: " << counted.first_few;
}

// The messages of each period (QoS, hello, announce) are made of strings; between them nothing is allocated.
TEST_P(InvokerTick, AllocatesNothingBetweenThePeriods) {
  const auto pipeline = make();
  pipeline->warm_up();
  std::size_t fewest = ~std::size_t{0};
  std::size_t all = 0;
  for (int window = 0; window < 20; ++window) {
    const auto allocations = test::allocations_of([&] { pipeline->tick(500); });
    fewest = std::min(fewest, allocations.count);
    all += allocations.count;
  }
  EXPECT_EQ(fewest, 0u);
  EXPECT_GT(pipeline->frames, 5000);
  EXPECT_LT(all, 5000u) << "something allocates per frame";
}

// A counter that was asked for is waited for by the clock, at the beginning and after a lease.
TEST_P(InvokerTick, ReadsTheClockOnce) {
  const auto pipeline = make();
  ASSERT_TRUE(eventually([&] { return pipeline->tick(100), pipeline->supervised(); }));
  constexpr std::uint64_t ticks = 500;
  std::uint64_t fewest = ~std::uint64_t{0};
  for (const Nanos until = monotonic_now() + 1500 * nanos_per_milli; pipeline->tick() < until;) {
    const std::uint64_t before = test::clock_reads_of_this_thread();
    pipeline->tick(ticks);
    fewest = std::min(fewest, test::clock_reads_of_this_thread() - before);
  }
  EXPECT_EQ(fewest, ticks);
  EXPECT_GT(pipeline->frames, 5000);
}

TEST_P(InvokerTick, NeedsNoThreadOfItsOwn) {
  const auto threads = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); };
  const auto before = threads();
  const auto pipeline = make();
  pipeline->tick(1000);
  EXPECT_EQ(threads(), before);
}

// A host loop that stands still for so long that the media driver gives it up, and whatever else runs in that loop.
class InvokerStall : public InvokerTick {
 protected:
  void SetUp() override { rig({.client_liveness_ns = nanos_per_second}).start_media(); }
};

TEST_P(InvokerStall, IsToldAndSurvived) {
  const auto pipeline = make();
  pipeline->warm_up();
  const timespec stall{1, 600'000'000};
  ::nanosleep(&stall, nullptr);
  pipeline->tick();
  EXPECT_TRUE(events.heard(EventKind::stalled, "no duty cycle for 1")) << events.text();
  EXPECT_TRUE(eventually([&] { return pipeline->tick(100), events.heard(EventKind::media_driver_back); }))
      << events.text();
  pipeline->frames = 0;
  EXPECT_TRUE(eventually([&] { return pipeline->tick(100), pipeline->frames > 1000; })) << events.text();
  EXPECT_TRUE(pipeline->balances());
}

constexpr auto owner_name = [](const auto& made) {
  return made.param == Owner::driver ? "ADriversStream" : "AStandaloneProducer";
};
INSTANTIATE_TEST_SUITE_P(Of, InvokerStall, testing::Values(Owner::driver, Owner::producer), owner_name);
INSTANTIATE_TEST_SUITE_P(Of, InvokerTick, testing::Values(Owner::driver, Owner::producer), owner_name);

}  // namespace
}  // namespace tensorpool
