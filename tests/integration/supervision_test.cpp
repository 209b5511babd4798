// Who watches, over real Aeron: the monitor, the supervisor, `tp top` and `tp supervise`.
#include <fmt/format.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "apps/config/client_setup.hpp"
#include "support/rig.hpp"

namespace tensorpool {
namespace {

class Supervision : public RigTest {
 protected:
  SupervisorOptions supervisor_options(std::vector<SupervisorPolicy> policies = {}) {
    SupervisorOptions options = apps::supervisor_options(rig().config(), rig().config());
    options.liveness_timeout_ns = 2 * nanos_per_second;
    options.liveness_check_interval_ns = 50 * nanos_per_milli;
    options.policies = std::move(policies);
    options.on_event = [this](const MonitorEvent& event) { seen.push_back(event); };
    return options;
  }
  bool heard(MonitorEventKind kind, std::uint32_t client_id) const {
    return std::any_of(seen.begin(), seen.end(),
                       [&](const MonitorEvent& event) { return event.kind == kind && event.client_id == client_id; });
  }
  std::vector<std::string> tp(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), TP_BINARY);
    return arguments;
  }

  std::vector<MonitorEvent> seen;
};

TEST_F(Supervision, ShowsAProducerAndAConsumerWithTheirLeasesAndFigures) {
  rig().start();
  Client client = rig().connect("both");
  auto producer = client.attach_producer({.stream_id = Rig::stream, .client_id = 7});
  auto consumer = client.attach_consumer({.stream_id = Rig::stream, .client_id = 9});
  ASSERT_TRUE(producer && consumer);
  auto monitor = Monitor::open(rig().client_options("monitor"),
                               {.descriptors = true, .counters_interval_ns = 100 * nanos_per_milli});
  ASSERT_TRUE(monitor) << monitor.error().message;
  MonitorSnapshot taken;
  const bool all_seen = eventually([&] {
    publish_pattern(*producer, 4000);
    consumer->poll([](const Frame&) {});
    taken = monitor->snapshot();
    return taken.driver == DriverState::alive && taken.streams.size() == 2 && taken.producers.size() == 1 &&
           taken.consumers.size() == 1 && taken.producers[0].lease && taken.consumers[0].lease &&
           taken.producers[0].frames_per_s > 0 && taken.producers[0].bytes_per_s.value_or(0) > 0 &&
           taken.consumers[0].lost && taken.consumers[0].lag_frames && taken.streams[0].latency_least_ns;
  });
  ASSERT_TRUE(all_seen) << taken.streams.size() << " streams, " << taken.producers.size() << " producers";
  EXPECT_EQ(taken.producers[0].producer_id, 7U);
  EXPECT_EQ(taken.consumers[0].consumer_id, 9U);
  EXPECT_EQ(taken.producers[0].epoch, taken.streams[0].epoch);
  EXPECT_GE(taken.producers[0].lease->age_ns, 0);
  EXPECT_GT(taken.producers[0].lease->expires_in_ns, 0);
  EXPECT_EQ(taken.counts.malformed, 0U);
}

TEST_F(Supervision, ChangesAConsumersModeAndTellsOfAKilledProducer) {
  rig().start();
  auto producer = rig().spawn_producer();
  Client client = rig().connect("consumer");
  ConsumerOptions limited{.stream_id = Rig::stream, .client_id = 9};
  limited.max_rate_hz = 5;
  limited.mode = ConsumerMode::stream;
  auto consumer = client.attach_consumer(limited);
  ASSERT_TRUE(consumer) << consumer.error().message;
  auto supervisor = Supervisor::create(supervisor_options({{.stream_id = Rig::stream, .rate_limited = true}}));
  ASSERT_TRUE(supervisor) << supervisor.error().message;
  EXPECT_TRUE(eventually([&] {
    supervisor->do_work(monotonic_now());
    return consumer->terms().mode == ConsumerMode::rate_limited;
  })) << "the consumer was not told";
  std::uint32_t producer_id = 0;
  EXPECT_TRUE(eventually([&] {
    supervisor->do_work(monotonic_now());
    for (const ProducerView& view : supervisor->snapshot().producers) producer_id = view.producer_id;
    return producer_id != 0;
  }));
  producer.reset();  // killed
  EXPECT_TRUE(eventually([&] {
    supervisor->do_work(monotonic_now());
    return heard(MonitorEventKind::producer_gone, producer_id);
  })) << "no alert";
  EXPECT_GE(supervisor->stats().alerts, 1U);
  EXPECT_GE(supervisor->stats().configs_sent, 1U);
}

TEST_F(Supervision, TakesNothingWithItWhenItIsKilledAndComesBack) {
  rig().start();
  EventLog events;
  Client client = rig().connect("both", &events);
  auto producer = client.attach_producer({.stream_id = Rig::stream});
  auto consumer = client.attach_consumer({.stream_id = Rig::stream});
  ASSERT_TRUE(producer && consumer);
  const auto flows = [&](std::uint64_t frames) {
    const std::uint64_t goal = consumer->stats().delivered + frames;
    return eventually([&] {
      publish_pattern(*producer, 4000);
      consumer->poll([](const Frame&) {});
      return consumer->stats().delivered >= goal;
    });
  };
  const std::uint64_t epoch = rig().epoch_of(Rig::stream);
  for (int life = 0; life < 2; ++life) {
    Child supervisor(tp({"supervise", rig().config_path()}));
    EXPECT_TRUE(supervisor.await(fmt::format("producer {} of stream {}", producer->client_id(), Rig::stream)))
        << supervisor.output();
    EXPECT_TRUE(flows(20));
    supervisor.kill();
    EXPECT_TRUE(flows(20)) << "without a supervisor";
  }
  EXPECT_EQ(rig().epoch_of(Rig::stream), epoch);
  EXPECT_EQ(consumer->stats().lost_total(), 0U);
  EXPECT_EQ(events.count(EventKind::revoked), 0U) << events.text();
}

TEST_F(Supervision, RaisesOneAlertForAProducerThatStopsAndNoneForItsDetach) {
  rig().start();
  Client client = rig().connect("producer");
  auto producer = client.attach_producer({.stream_id = Rig::stream, .client_id = 7});
  ASSERT_TRUE(producer) << producer.error().message;
  SupervisorOptions options = supervisor_options();
  options.no_frames_timeout_ns = 2 * nanos_per_second;
  auto supervisor = Supervisor::create(options);
  ASSERT_TRUE(supervisor) << supervisor.error().message;
  EXPECT_TRUE(eventually([&] {
    publish_pattern(*producer, 4000);
    supervisor->do_work(monotonic_now());
    return heard(MonitorEventKind::producer_appeared, 7);
  }));
  EXPECT_TRUE(eventually([&] {
    supervisor->do_work(monotonic_now());
    return heard(MonitorEventKind::no_frames, 7);
  }));
  EXPECT_TRUE(eventually([&] {
    publish_pattern(*producer, 4000);
    supervisor->do_work(monotonic_now());
    return heard(MonitorEventKind::frames_resumed, 7);
  }));
  EXPECT_EQ(supervisor->stats().alerts, 1U);
  EXPECT_EQ(supervisor->stats().no_frames, 1U);
  { const Producer ends = *std::move(producer); }
  EXPECT_TRUE(eventually([&] {
    supervisor->do_work(monotonic_now());
    return heard(MonitorEventKind::producer_gone, 7);
  }));
  EXPECT_EQ(supervisor->stats().alerts, 1U);
}

// The driver is real, and so are the three ends: a detach, a kill and a revoke.
TEST_F(Supervision, TellsAConsumerHowItsProducerEnded) {
  rig().start();
  EventLog events;
  Client client = rig().connect("consumer", &events);
  auto consumer = client.attach_consumer({.stream_id = Rig::stream, .client_id = 9});
  ASSERT_TRUE(consumer) << consumer.error().message;
  const auto read_some = [&] {
    const std::uint64_t goal = consumer->stats().delivered + 3;
    return eventually([&] {
      consumer->poll([](const Frame&) {});
      return consumer->stats().delivered >= goal;
    });
  };
  const auto told = [&](EndReason reason) {
    return eventually([&] { return events.find(EventKind::producer_gone, reason).has_value(); });
  };
  {
    auto producer = rig().spawn_producer();
    ASSERT_TRUE(read_some());
    const std::uint64_t epoch = rig().epoch_of(Rig::stream);
    end(*producer);
    ASSERT_TRUE(told(EndReason::detached)) << events.text();
    EXPECT_EQ(events.find(EventKind::producer_gone, EndReason::detached)->epoch, epoch);
    EXPECT_NE(events.find(EventKind::producer_gone, EndReason::detached)->producer_id, 0U);
  }
  {
    auto producer = rig().spawn_producer();
    ASSERT_TRUE(read_some());
    producer->kill();
    ASSERT_TRUE(told(EndReason::expired)) << events.text();
  }
  EXPECT_EQ(events.count(EventKind::producer_gone), 2U);
}

TEST_F(Supervision, EndsWithAStatusAndStartsAProgramAtAnAlert) {
  rig().start();
  Client client = rig().connect("producer");
  auto producer = client.attach_producer({.stream_id = Rig::stream, .client_id = 7});
  ASSERT_TRUE(producer) << producer.error().message;
  const std::string out = rig().dir() + "/hook";
  Child supervisor(tp({"supervise", rig().config_path(), "--format", "json", "--no-frames-timeout", "1", "--exit-on",
                       "no_frames", "--exec", "/bin/sh", "--exec-arg=-c", "--exec-arg",
                       "echo $TENSORPOOL_EVENT $TENSORPOOL_EVENT_STREAM_ID $TENSORPOOL_EVENT_CLIENT_ID > $0.new; "
                       "mv $0.new $0",
                       "--exec-arg", out}));
  EXPECT_EQ(supervisor.wait(), 5) << supervisor.output();
  EXPECT_TRUE(supervisor.said("\"event\":\"no_frames\"")) << supervisor.output();
  EXPECT_TRUE(supervisor.said("\"alert\":true")) << supervisor.output();
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(out); }));
  std::string line;
  std::getline(std::ifstream(out) >> std::ws, line);
  EXPECT_EQ(line, fmt::format("no_frames {} 7", Rig::stream));
  std::filesystem::remove(out);
}

TEST_F(Supervision, IsSaidByTpConsumeOfAStreamThatStops) {
  rig().start();
  Client client = rig().connect("producer");
  auto producer = client.attach_producer({.stream_id = Rig::stream, .client_id = 7});
  ASSERT_TRUE(producer) << producer.error().message;
  Child consumer(tp({"consume", "--config", rig().config_path(), "--stream", std::to_string(Rig::stream), "--format",
                     "json", "--no-frames-timeout", "1"}));
  EXPECT_TRUE(consumer.await("\"event\":\"attached\"")) << consumer.output();
  EXPECT_TRUE(eventually([&] { return consumer.said("\"event\":\"no_frames\""); })) << consumer.output();
  EXPECT_TRUE(eventually([&] {
    publish_pattern(*producer, 4000);
    return consumer.said("\"event\":\"frames_resumed\"");
  })) << consumer.output();
  { const Producer ends = *std::move(producer); }
  EXPECT_TRUE(eventually([&] { return consumer.said("\"reason\":\"detached\""); })) << consumer.output();
  consumer.signal(SIGTERM);
  EXPECT_EQ(consumer.wait(), 0) << consumer.output();
}

TEST_F(Supervision, IsShownByTopOnce) {
  rig().start();
  auto producer = rig().spawn_producer();
  Child top(tp({"top", "--config", rig().config_path(), "--once", "--format", "json"}));
  EXPECT_EQ(top.wait(), 0) << top.output();
  const std::string output = top.output();
  const auto json = nlohmann::json::parse(output.substr(output.find('{')));
  EXPECT_EQ(json["driver"], "alive");
  ASSERT_EQ(json["producers"].size(), 1U) << output;
  EXPECT_EQ(json["producers"][0]["liveness"], "alive");
  EXPECT_TRUE(json["producers"][0]["epoch"].is_string());
  EXPECT_FALSE(json["producers"][0]["lease"].is_null());
  EXPECT_EQ(json["streams"].size(), 2U);
}

TEST_F(Supervision, SaysThatNoDriverIsThere) {
  rig().start_media();
  Child top(tp({"top", "--config", rig().config_path(), "--once"}));
  EXPECT_EQ(top.wait(), 3) << top.output();
  EXPECT_NE(top.output().find("driver unknown"), std::string::npos) << top.output();
}

}  // namespace
}  // namespace tensorpool
