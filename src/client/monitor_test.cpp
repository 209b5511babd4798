// The monitor beside a client at work, over the in-memory twin.
#include "tensorpool/monitor.hpp"

#include "client/scripted_driver_test.hpp"

namespace tensorpool::detail {
namespace {

class MonitorBench : public StreamBench {
 protected:
  Monitor open(MonitorOptions wanted = {}) {
    wanted.counters_interval_ns = 0;  // the twin's counters are in no file
    wanted.on_event = [this](const MonitorEvent& event) { seen.push_back(event); };
    auto opened = Monitor::open(options(), wanted);
    EXPECT_TRUE(opened) << opened.error().message;
    return *std::move(opened);
  }
  void run_all(Monitor& monitor, Nanos duration) {
    for (const Nanos end = now + duration; now < end;) {
      client.do_work(tick());
      monitor.do_work(now);
    }
  }
  bool heard(MonitorEventKind kind) const {
    return std::any_of(seen.begin(), seen.end(), [kind](const auto& event) { return event.kind == kind; });
  }

  std::vector<MonitorEvent> seen;
};

TEST_F(MonitorBench, SeesAProducerAndAConsumerAtWork) {
  Monitor monitor = open({.descriptors = true});
  attach();
  for (int frame = 0; frame < 300; ++frame) {
    run_all(monitor, 10 * nanos_per_milli);
    publish(static_cast<std::uint64_t>(frame));
    poll();
  }
  const MonitorSnapshot taken = monitor.snapshot();
  ASSERT_EQ(taken.streams.size(), 1U);
  ASSERT_EQ(taken.producers.size(), 1U);
  ASSERT_EQ(taken.consumers.size(), 1U);
  EXPECT_TRUE(taken.connected);
  EXPECT_EQ(taken.driver, DriverState::alive);
  EXPECT_EQ(taken.streams[0].producer_id, producer->client_id());
  EXPECT_NEAR(taken.streams[0].frames_per_s.value_or(0), 100, 1);
  EXPECT_NEAR(taken.producers[0].frames_per_s, 100, 1);
  EXPECT_NEAR(taken.consumers[0].frames_per_s, 100, 1);
  EXPECT_LE(taken.consumers[0].lag_frames.value_or(99), 1U);
  EXPECT_EQ(taken.producers[0].liveness, Liveness::alive);
  EXPECT_TRUE(taken.consumers[0].confirmed);
  EXPECT_TRUE(heard(MonitorEventKind::producer_appeared));
  EXPECT_TRUE(heard(MonitorEventKind::consumer_appeared));
  EXPECT_EQ(taken.counts.malformed, 0U);
}

TEST_F(MonitorBench, SaysNothing) {
  attach();
  const auto attaches = driver->attaches.size();
  const auto hellos = driver->hellos.size();
  Monitor monitor = open({.descriptors = true});
  for (int cycle = 0; cycle < 500; ++cycle) monitor.do_work(tick());
  EXPECT_EQ(driver->attaches.size(), attaches);
  EXPECT_EQ(driver->hellos.size(), hellos);
  EXPECT_EQ(driver->leases.size(), 2U);
}

TEST_F(MonitorBench, KnowsThatAClientWentAndTheDriverFellSilent) {
  Monitor monitor = open();
  attach();
  run_all(monitor, 3 * nanos_per_second);
  consumer.reset();
  run_all(monitor, 100 * nanos_per_milli);
  EXPECT_TRUE(heard(MonitorEventKind::consumer_gone));
  driver->paused = true;
  run_all(monitor, 6 * nanos_per_second);
  EXPECT_TRUE(heard(MonitorEventKind::driver_silent));
  EXPECT_EQ(monitor.snapshot().driver, DriverState::silent);
}

TEST_F(MonitorBench, BlamesNobodyForItsOwnPause) {
  Monitor monitor = open();
  attach();
  run_all(monitor, 3 * nanos_per_second);
  run(client, 20 * nanos_per_second);
  run_all(monitor, 100 * nanos_per_milli);
  EXPECT_FALSE(heard(MonitorEventKind::consumer_gone));
  EXPECT_FALSE(heard(MonitorEventKind::driver_silent));
}

TEST_F(MonitorBench, FollowsAMediaDriverThatComesBack) {
  Monitor monitor = open();
  attach();
  run_all(monitor, 3 * nanos_per_second);
  driver->forget();
  transport::loopback::restart_media_driver(bus_);
  driver->connect();
  run_all(monitor, 3 * nanos_per_second);
  EXPECT_TRUE(heard(MonitorEventKind::media_driver_lost));
  EXPECT_TRUE(heard(MonitorEventKind::media_driver_back));
  EXPECT_EQ(monitor.snapshot().counts.reconnects, 1U);
  EXPECT_TRUE(monitor.snapshot().connected);
  EXPECT_EQ(monitor.snapshot().producers.back().liveness, Liveness::alive);
}

TEST_F(MonitorBench, RefusesTimesOutOfRange) {
  EXPECT_FALSE(Monitor::open(options(), {.liveness_timeout_ns = 0}));
  EXPECT_FALSE(Monitor::open(options(), {.counters_interval_ns = -1}));
}

}  // namespace
}  // namespace tensorpool::detail
