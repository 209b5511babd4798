// A producer without a driver, as a process on real Aeron: it is killed, comes back, and ends; its consumer stays.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "support/rig.hpp"

namespace tensorpool {
namespace {

namespace fs = std::filesystem;

class StandaloneProcess : public RigTest {
 protected:
  void SetUp() override {
    rig().start_media();
    std::ofstream(config_path()) << fmt::format(
        "[producer]\naeron_dir = \"{0}\"\nstream_id = 77\nnslots = 16\nshm_base_dir = \"{1}\"\nshm_namespace = "
        "\"alone\"\n"
        "announce_interval_ns = 100000000\npayload_pools = [{{ pool_id = 1, stride_bytes = 4096 }}]\n"
        "[consumer]\naeron_dir = \"{0}\"\nshm_base_dir = \"{1}\"\n",
        rig().aeron_dir(), rig().base_dir());
  }
  void TearDown() override {
    fs::remove(config_path());
    RigTest::TearDown();
  }
  std::string config_path() { return rig().dir() + "/standalone.toml"; }
  std::unique_ptr<Child> spawn_producer() {
    return std::make_unique<Child>(std::vector<std::string>{TP_BINARY, "publish", "pattern", "--standalone", "--config",
                                                            config_path(), "--bytes", "1000", "--rate", "200"});
  }
  ClientOptions client_options() {
    ClientOptions options = rig().client_options("standalone reader", &events);
    options.announce_period_ns = 100 * nanos_per_milli;
    return options;
  }
  std::vector<std::string> epochs() {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(rig().base_dir())) {
      if (entry.path().filename() == "header.ring") found.push_back(entry.path().parent_path().filename());
    }
    return found;
  }
  bool receives(Consumer& consumer, std::uint64_t more = 20) {
    const std::uint64_t goal = consumer.stats().delivered + more;
    return eventually([&] {
      consumer.poll([](const Frame&) {});
      return consumer.stats().delivered >= goal;
    });
  }

  EventLog events;
};

TEST_F(StandaloneProcess, IsFollowedOverAKillAndARestartAndLeavesNothing) {
  auto producer = spawn_producer();
  auto client = Client::connect(client_options());
  ASSERT_TRUE(client) << client.error().message;
  auto consumer = client->attach_consumer({.stream_id = 77, .standalone = true});
  ASSERT_TRUE(consumer) << consumer.error().message << producer->output();
  ASSERT_TRUE(receives(*consumer)) << producer->output();
  const std::uint64_t first = consumer->stats().epoch;
  producer->kill();
  EXPECT_TRUE(eventually([&] { return events.heard(EventKind::producer_gone); })) << events.text();
  producer = spawn_producer();
  EXPECT_TRUE(eventually([&] {
    consumer->poll([](const Frame&) {});
    return consumer->stats().epoch > first;
  })) << events.text()
      << producer->output();
  EXPECT_TRUE(receives(*consumer)) << producer->output();
  EXPECT_EQ(epochs(), (std::vector<std::string>{std::to_string(consumer->stats().epoch)})) << "the dead epoch stays";
  auto second = spawn_producer();
  EXPECT_NE(second->wait(), 0) << "two producers of one stream";
  EXPECT_TRUE(second->said("stream 77 of the namespace")) << second->output();
  EXPECT_TRUE(receives(*consumer)) << "disturbed by the one that was refused";
  producer->signal(SIGTERM);
  EXPECT_EQ(producer->wait(), 0) << producer->output();
  EXPECT_TRUE(epochs().empty());
  const ConsumerStats stats = consumer->stats();
  EXPECT_EQ(stats.accounted, stats.delivered + stats.abandoned + stats.lost_total());
}

TEST_F(StandaloneProcess, IsReceivedByTpThoughADriverServesOtherStreams) {
  rig().start_driver();
  auto producer = spawn_producer();
  Child consumer(
      {TP_BINARY, "consume", "--standalone", "--config", config_path(), "--stream", "77", "--verify", "--count", "20"});
  EXPECT_EQ(consumer.wait(), 0) << consumer.output() << producer->output();
  producer->signal(SIGTERM);
  EXPECT_EQ(producer->wait(), 0) << producer->output();
}

}  // namespace
}  // namespace tensorpool
