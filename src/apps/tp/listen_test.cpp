// `tp listen` and `tp counters` beside a driver, a producer and a consumer at work.
#include "apps/tp/listen.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "apps/tp/test_driver.hpp"
#include "transport/connection.hpp"

namespace tensorpool::apps::tp {
namespace {

class Listening : public RunningDriver {
 protected:
  void SetUp() override {
    ASSERT_EQ(await_status().status, 0);
    producer_ = std::make_unique<Background>(std::vector<std::string>{"publish", "pattern", "--bytes", "1000", "--rate",
                                                                      "50", "--name", "cam1", "--attribute",
                                                                      "exposure_us=250", "--config", config_});
    consumer_ = std::make_unique<Background>(std::vector<std::string>{"consume", "--config", config_});
  }
  // The lines that come; more time than any machine needs.
  Outcome listen(const std::string& arguments) const { return run(with_config("listen --seconds 50 " + arguments)); }

  Background driver_{{"driver", "run", config_}};
  std::unique_ptr<Background> producer_;  // once there is a media driver
  std::unique_ptr<Background> consumer_;
};

TEST_F(Listening, ShowsWhatPassesOnEachStream) {
  const Outcome announce = listen("announce --count 1");
  EXPECT_EQ(announce.status, 0);
  EXPECT_TRUE(has(announce, " ShmPoolAnnounce stream_id=7 ") && has(announce, "pool_id=1")) << announce.text;
  const Outcome descriptors = listen("descriptors --count 3 --stream 7");
  EXPECT_EQ(descriptors.status, 0);
  EXPECT_TRUE(has(descriptors, " FrameDescriptor stream_id=7 ")) << descriptors.text;
  const Outcome metadata = listen("metadata --count 4");
  EXPECT_EQ(metadata.status, 0);
  EXPECT_TRUE(has(metadata, "name=\"cam1\"")) << metadata.text;
  EXPECT_TRUE(has(metadata, "key=\"exposure_us\" format=\"text/plain\" value=\"250\"")) << metadata.text;
  const Outcome control = listen("control --count 30");
  EXPECT_TRUE(has(control, " ConsumerHello stream_id=7 ") && has(control, " ShmLeaseKeepalive ")) << control.text;
}

TEST_F(RunningDriver, HasProgressOfFramesThatAreFilledInBands) {
  const Background driver({"driver", "run", config_});
  ASSERT_EQ(await_status().status, 0);
  std::ofstream(config_, std::ios::app)
      << "[producer]\nprogress_interval_ns = 0\nprogress_bytes_delta = 1\n[consumer]\n"
         "supports_progress = true\nprogress_interval_us = 1\n"
         "progress_bytes_delta = 1\n";
  const Background camera(
      {"publish", "pattern", "--size", "256x64", "--rate", "20", "--bands", "4", "--config", config_});
  const Background reader({"consume", "--verify", "--config", config_});
  const Outcome progress = run(with_config("listen progress --seconds 50 --count 10"));
  EXPECT_EQ(progress.status, 0);
  EXPECT_TRUE(has(progress, " FrameProgress stream_id=7 ") && has(progress, "payload_bytes_filled=24576 "))
      << progress.text;
}

TEST_F(Listening, SpeaksJson) {
  const Outcome qos = run_for_output(with_config("listen qos --count 4 --seconds 50 --format json"));
  EXPECT_EQ(qos.status, 0);
  std::istringstream lines(qos.text);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_TRUE(json["message"] == "QosProducer" || json["message"] == "QosConsumer") << line;
    EXPECT_TRUE(json["fields"]["epoch"].is_string()) << line;
    EXPECT_EQ(json["fields"]["stream_id"], 7);
  }
  EXPECT_EQ(count, 4);
}

TEST_F(Listening, ShowsFragmentsThatAreNoMessages) {
  auto connection = transport::Connection::open({.aeron_dir = dir_.path() + "/aeron"}).value();
  auto publication = connection.add_publication("aeron:ipc?term-length=64k", 1000).value();
  std::atomic<bool> heard{false};
  std::thread stranger([&] {
    while (!heard) {
      connection.do_work();
      publication.offer(std::vector<std::byte>(5));
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  const Outcome outcome = listen("control --stream 99 --count 1");
  heard = true;
  stranger.join();
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(has(outcome, " malformed: too short (unknown message, ")) << outcome.text;
}

TEST_F(Listening, FailsWhenFewerMessagesCameThanWereAskedFor) {
  const Outcome outcome = run(with_config("listen progress --count 1 --seconds 0.2"));
  EXPECT_EQ(outcome.status, 3);
  EXPECT_TRUE(has(outcome, "tp: 0 of 1 messages in 0.2 s on aeron:ipc stream 1000")) << outcome.text;
  EXPECT_EQ(run(with_config("listen everything")).status, 2);
}

TEST_F(Listening, CountersAreShownByOwner) {
  ASSERT_EQ(listen("qos --count 6").status, 0);  // both have been attached for a while
  for (;;) {                                     // the test's own time limit bounds it
    const Outcome outcome = run(with_config("counters"));
    ASSERT_EQ(outcome.status, 0);
    if (has(outcome, " stream 7\n  delivered ") && has(outcome, " stream 7\n  published ")) break;
  }
  const Outcome all = run_for_output(with_config("counters --all --format json"));
  EXPECT_EQ(all.status, 0);
  const auto json = nlohmann::json::parse(all.text);
  bool aerons = false;
  bool producers = false;
  for (const auto& counter : json["counters"]) {
    aerons = aerons || counter["type_id"] < 1000;
    producers = producers || (counter.value("role", "") == "producer" && counter["figure"] == "bytes");
  }
  EXPECT_TRUE(aerons && producers) << all.text;
}

TEST(Counters, NeedAMediaDriver) {
  const TempDir dir;
  EXPECT_EQ(run("counters --aeron-dir " + dir.path() + "/none").status, 3);
  EXPECT_EQ(run("listen qos --aeron-dir " + dir.path() + "/none").status, 3);
}

}  // namespace
}  // namespace tensorpool::apps::tp
