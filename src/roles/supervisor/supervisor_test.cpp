// The supervisor beside a client at work, over the in-memory twin.
#include "tensorpool/supervisor.hpp"

#include "client/scripted_driver_test.hpp"
#include "tensorpool/agent.hpp"

namespace tensorpool::supervisor {
namespace {

static_assert(Agent<Supervisor>);

// Hears what consumers are told, and may say what others would.
class Peer {
 public:
  explicit Peer(const std::string& bus)
      : connection_(transport::Connection::open({.aeron_dir = bus}).value()),
        in_(connection_.add_subscription("aeron:ipc", 1000).value()),
        out_(connection_.add_publication("aeron:ipc", 1000).value()) {}

  void pump() {
    connection_.do_work();
    in_.poll_assembled(
        [this](std::span<const std::byte> bytes) { protocol::dispatch<protocol::ConsumerConfig>(bytes, *this); }, 1000);
  }
  void on(const protocol::ConsumerConfig& config) { configs.push_back(config); }
  template <class Message>
  void say(const Message& message) {
    std::vector<std::byte> bytes(protocol::encoded_length(message));
    ASSERT_NE(protocol::encode(message, std::span(bytes)), 0U);
    static_cast<void>(out_.offer(bytes));
  }

  std::vector<protocol::ConsumerConfig> configs;

 private:
  transport::Connection connection_;
  transport::Subscription in_;
  transport::Publication out_;
};

class SupervisorBench : public detail::StreamBench {
 protected:
  Supervisor create(SupervisorOptions wanted = {}) {
    wanted.where = options();
    wanted.on_event = [this](const MonitorEvent& event) { seen.push_back(event); };
    auto made = Supervisor::create(wanted);
    EXPECT_TRUE(made) << made.error().message;
    return *std::move(made);
  }
  void run_all(Supervisor& supervisor, Nanos duration) {
    for (const Nanos end = now + duration; now < end;) {
      client.do_work(tick());
      peer.pump();
      supervisor.do_work(now);
    }
  }
  std::ptrdiff_t count_seen(MonitorEventKind kind) const {
    return std::count_if(seen.begin(), seen.end(), [kind](const auto& event) { return event.kind == kind; });
  }
  // Aeron's counters, by the end of their label.
  std::optional<std::int64_t> counter(const std::string& end) const {
    const auto counters = transport::read_counters(bus_);
    for (const auto& one : counters.value()) {
      if (one.label.ends_with(end)) return one.value;
    }
    return std::nullopt;
  }

  Peer peer{bus_};
  std::vector<MonitorEvent> seen;
};

TEST_F(SupervisorBench, RaisesAnAlertWhenAClientGoes) {
  Supervisor supervisor = create();
  attach();
  run_all(supervisor, 3 * nanos_per_second);
  EXPECT_EQ(supervisor.stats().alerts, 0U);
  EXPECT_EQ(counter("supervisor stream 5: producers alive"), 1);
  EXPECT_EQ(counter("supervisor stream 5: consumers alive"), 1);
  driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::expired);
  supervisor.do_work(tick());
  EXPECT_EQ(count_seen(MonitorEventKind::producer_gone), 1);
  EXPECT_EQ(supervisor.stats().alerts, 1U);
  driver->revoke(driver->lease_of(protocol::Role::consumer), protocol::LeaseRevokeReason::revoked);
  consumer.reset();
  run_all(supervisor, 3 * nanos_per_second);
  EXPECT_EQ(count_seen(MonitorEventKind::consumer_gone), 1);
  EXPECT_EQ(counter("supervisor stream 5: consumers alive"), 0);
  EXPECT_EQ(counter("supervisor: alerts"), 2);
}

TEST_F(SupervisorBench, RaisesNoAlertForADetach) {
  Supervisor supervisor = create();
  attach();
  run_all(supervisor, 2 * nanos_per_second);
  producer.reset();
  consumer.reset();
  run_all(supervisor, 3 * nanos_per_second);
  EXPECT_EQ(count_seen(MonitorEventKind::producer_gone), 1);
  EXPECT_EQ(count_seen(MonitorEventKind::consumer_gone), 1);
  EXPECT_EQ(supervisor.stats().alerts, 0U);
}

TEST_F(SupervisorBench, RaisesAnAlertWhenAProducerStopsSendingFrames) {
  Supervisor supervisor = create();
  attach();
  for (int i = 0; i < 20; ++i) {
    publish(static_cast<std::uint64_t>(i));
    run_all(supervisor, nanos_per_second / 2);
  }
  EXPECT_EQ(supervisor.stats().no_frames, 0U);
  EXPECT_EQ(counter("supervisor stream 5: producers without frames"), 0);
  run_all(supervisor, 12 * nanos_per_second);
  EXPECT_EQ(count_seen(MonitorEventKind::no_frames), 1);
  EXPECT_EQ(supervisor.stats().no_frames, 1U);
  EXPECT_EQ(supervisor.stats().alerts, 1U);
  EXPECT_EQ(counter("supervisor: no frames"), 1);
  EXPECT_EQ(counter("supervisor stream 5: producers without frames"), 1);
  EXPECT_EQ(counter("supervisor stream 5: producers alive"), 1);
  publish(20);
  run_all(supervisor, 3 * nanos_per_second);
  EXPECT_EQ(count_seen(MonitorEventKind::frames_resumed), 1);
  EXPECT_EQ(counter("supervisor stream 5: producers without frames"), 0);
}

TEST_F(SupervisorBench, LeavesAStreamAloneThatMayBeSilent) {
  Supervisor supervisor = create({.no_frames_timeouts = {{5, 0}}});
  attach();
  run_all(supervisor, 20 * nanos_per_second);
  EXPECT_EQ(supervisor.stats().alerts, 0U);
}

TEST_F(SupervisorBench, TellsAConsumerWhatItsPolicySays) {
  Supervisor supervisor = create({.policies = {{.stream_id = 5, .rate_limited = true}}});
  attach();
  run_all(supervisor, 2 * nanos_per_second);
  ASSERT_FALSE(peer.configs.empty());
  EXPECT_EQ(peer.configs[0].consumer_id, consumer->client_id());
  EXPECT_EQ(peer.configs[0].mode, protocol::Mode::rate_limited);
  EXPECT_GE(count_seen(MonitorEventKind::config_sent), 1);
  EXPECT_GE(counter("supervisor: configs sent"), 1);
}

TEST_F(SupervisorBench, SaysNothingWithoutAPolicy) {
  Supervisor supervisor = create();
  attach();
  run_all(supervisor, 5 * nanos_per_second);
  EXPECT_TRUE(peer.configs.empty());
}

TEST_F(SupervisorBench, StaysInBoundsUnderAFloodAndCountsIt) {
  Supervisor supervisor = create({.policies = {{.rate_limited = true}}});
  attach();
  run_all(supervisor, nanos_per_second);
  for (std::uint32_t round = 0; round < 200; ++round) {
    for (std::uint32_t i = 0; i < 50; ++i) {
      protocol::ConsumerHello hello;
      hello.stream_id = 5;
      hello.consumer_id = 1000 + 50 * round + i;
      peer.say(hello);
      peer.say(protocol::ConsumerConfig{.stream_id = 5, .consumer_id = 1'000'000 + i});
    }
    run_all(supervisor, 5 * nanos_per_milli);
  }
  EXPECT_LE(supervisor.snapshot().consumers.size(), 4096U);
  EXPECT_LE(supervisor.stats().configs_sent, 300U);
  EXPECT_GT(supervisor.stats().untracked, 0U);
  EXPECT_GT(supervisor.stats().strangers, 0U);
  EXPECT_GT(supervisor.snapshot().counts.events_suppressed, 0U);
  const auto consumers = supervisor.snapshot().consumers;
  EXPECT_TRUE(std::any_of(consumers.begin(), consumers.end(), [&](const ConsumerView& view) {
    return view.consumer_id == consumer->client_id() && view.confirmed && view.liveness == Liveness::alive;
  }));
}

TEST_F(SupervisorBench, ChangesNothingWhenItGoesAndComesBack) {
  auto first = std::make_unique<Supervisor>(create());
  attach();
  run_all(*first, 2 * nanos_per_second);
  first.reset();
  run(client, 10 * nanos_per_second);
  EXPECT_TRUE(producer->attached());
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  Supervisor next = create();
  run_all(next, 2 * nanos_per_second);
  EXPECT_EQ(next.snapshot().producers.at(0).liveness, Liveness::alive);
  EXPECT_EQ(next.stats().alerts, 0U);
}

TEST_F(SupervisorBench, DoesNotQuarrelWithASecondOneOfTheSameMind) {
  const std::vector<SupervisorPolicy> policies{{.stream_id = 5, .rate_limited = true}};
  Supervisor first = create({.policies = policies});
  Supervisor second = create({.policies = policies});
  attach({}, {.max_rate_hz = 10, .mode = ConsumerMode::stream});
  for (int i = 0; i < 10; ++i) {
    run_all(first, 500 * nanos_per_milli);
    run_all(second, 500 * nanos_per_milli);
  }
  EXPECT_EQ(consumer->terms().mode, ConsumerMode::rate_limited);
  EXPECT_LE(peer.configs.size(), 2U);
  EXPECT_EQ(first.stats().strangers + second.stats().strangers, 0U);
  EXPECT_EQ(first.stats().configs_ignored + second.stats().configs_ignored, 0U);
}

TEST_F(SupervisorBench, FollowsAMediaDriverThatComesBack) {
  Supervisor supervisor = create();
  attach();
  run_all(supervisor, 2 * nanos_per_second);
  driver->forget();
  transport::loopback::restart_media_driver(bus_);
  driver->connect();
  for (int cycle = 0; cycle < 4000; ++cycle) {
    client.do_work(tick());
    supervisor.do_work(now);
  }
  EXPECT_EQ(count_seen(MonitorEventKind::media_driver_back), 1);
  EXPECT_TRUE(counter("supervisor: alerts")) << "its counters are asked for again";
}

TEST(SupervisorOptions, AreChecked) {
  EXPECT_FALSE(Supervisor::create({.liveness_timeout_ns = 0}));
  EXPECT_FALSE(Supervisor::create(
      {.liveness_timeout_ns = nanos_per_second, .liveness_check_interval_ns = 2 * nanos_per_second}));
  EXPECT_FALSE(Supervisor::create({.policies = {{.payload_fallback_uri = "two words"}}}));
  EXPECT_FALSE(Supervisor::create({.config_interval_ns = 0}));
  EXPECT_FALSE(Supervisor::create({.no_frames_timeout_ns = -1}));
  EXPECT_FALSE(Supervisor::create({.no_frames_timeouts = {{0, nanos_per_second}}}));
  EXPECT_FALSE(Supervisor::create({.no_frames_timeouts = {{5, -1}}}));
}

}  // namespace
}  // namespace tensorpool::supervisor
