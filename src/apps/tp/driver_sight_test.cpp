// What `tp driver streams`, `leases` and `dump` show of a driver with clients.
#include <gtest/gtest.h>

#include "apps/flow/stats_json.hpp"
#include "apps/tp/test_driver.hpp"

namespace tensorpool::apps::tp {
namespace {

class DriverSeen : public RunningDriver {
 protected:
  void SetUp() override { ASSERT_EQ(await_status().status, 0); }
  // Until the producer's frames are counted; the test's own time limit bounds it.
  Json await_frames() {
    for (;;) {
      Json dump = Json::parse(run_for_output(with_config("driver dump")).text);
      for (const Json& client : dump["streams"][0]["clients"]) {
        if (client["role"] == "PRODUCER" && client["figures"].value("published", "0") != "0") {
          return dump;
        }
      }
    }
  }

  Background driver_{{"driver", "run", config_}};
};

TEST_F(DriverSeen, ShowsStreamsClientsAndLeasesTogether) {
  const Background producer(
      {"publish", "pattern", "--size", "32x16", "--rate", "50", "--client-id", "77", "--config", config_});
  const Json dump = await_frames();
  EXPECT_EQ(dump["instance_id"], "driver-01");
  EXPECT_EQ(dump["media_driver"]["state"], "alive");
  EXPECT_EQ(dump["counters"]["attaches granted"], "1");
  ASSERT_EQ(dump["leases"].size(), 1u);
  const Json& stream = dump["streams"][0];
  EXPECT_EQ(stream["stream_id"], 7);
  EXPECT_EQ(stream["producer_id"], 77);
  EXPECT_EQ(stream["lease_ids"], Json::array({dump["leases"][0]["lease_id"]}));
  ASSERT_EQ(stream["clients"].size(), 1u);
  EXPECT_EQ(stream["clients"][0]["lease_id"], dump["leases"][0]["lease_id"]);

  const Outcome streams = run(with_config("driver streams"));
  EXPECT_EQ(streams.status, 0);
  EXPECT_TRUE(has(streams, "stream 7: epoch ") && has(streams, "  header ring: shm:file?path=")) << streams.text;
  EXPECT_TRUE(has(streams, "  PRODUCER 77: lease ")) << streams.text;
  EXPECT_TRUE(has(run(with_config("driver leases")), ": stream 7 PRODUCER 77, "));
}

TEST_F(DriverSeen, IsTheOneThatWasAskedFor) {
  EXPECT_EQ(run("driver leases --instance driver-01", "TENSORPOOL_CONFIG=" + config_).text, "no leases\n");
  const Outcome other = run_shell(TP_TOOL_BINARY " driver-list-leases driver-02 --config " + config_ + " 2>&1");
  EXPECT_EQ(other.status, 3);
  EXPECT_TRUE(has(other, "is called driver-01, not driver-02")) << other.text;
}

TEST(DriverUnseen, IsSaidWithoutWaiting) {
  const TempDir dir;
  const Outcome outcome = run("driver leases --aeron-dir " + dir.path() + "/aeron");
  EXPECT_EQ(outcome.status, 3);
  EXPECT_TRUE(has(outcome, dir.path() + "/aeron")) << outcome.text;
}

}  // namespace
}  // namespace tensorpool::apps::tp
