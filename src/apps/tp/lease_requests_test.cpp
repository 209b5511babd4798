// Leases by hand, as an operator takes them with `tp driver attach|keepalive|detach` and with the published names.
#include <gtest/gtest.h>

#include "apps/flow/stats_json.hpp"
#include "apps/tp/test_driver.hpp"

namespace tensorpool::apps::tp {
namespace {

class LeaseByHand : public RunningDriver {
 protected:
  void SetUp() override { ASSERT_EQ(await_status().status, 0); }

  Json attach(const std::string& arguments) {
    const Outcome outcome = run_for_output(with_config("driver attach --format json " + arguments));
    EXPECT_EQ(outcome.status, 0) << outcome.text;
    return Json::parse(outcome.text, nullptr, false);
  }
  static std::string named(const Json& lease, const std::string& role) {
    return " --stream 7 --client-id 70 --role " + role + " --lease-id " + lease["lease_id"].get<std::string>();
  }

  Background driver_{{"driver", "run", config_}};
};

TEST_F(LeaseByHand, IsTakenKeptAliveAndGivenBack) {
  const Json lease = attach("--stream 7 --client-id 70 --role producer");
  EXPECT_EQ(lease["stream_id"], 7);
  EXPECT_EQ(lease["role"], "PRODUCER");
  EXPECT_TRUE(lease["epoch"].is_string() && lease["node_id"].is_number());
  EXPECT_GT(lease["expires_in_s"], 0.0);
  ASSERT_EQ(lease["payload_pools"].size(), 1u);
  EXPECT_EQ(lease["payload_pools"][0]["stride_bytes"], 262144);
  const std::string uri = lease["header_region_uri"];
  EXPECT_EQ(run("shm inspect '" + uri + "'").status, 0);
  EXPECT_EQ(run("shm inspect --expect epoch=" + lease["epoch"].get<std::string>() + " '" + uri + "'").status, 0);
  const Outcome unlike = run("shm inspect --expect nslots=4 '" + uri + "'");
  EXPECT_EQ(unlike.status, 1);
  EXPECT_TRUE(has(unlike, "8   WRONG: 4 was expected")) << unlike.text;
  EXPECT_EQ(run("shm inspect --expect slots=4 '" + uri + "'").status, 2);
  const Outcome slot = run("shm inspect --slot 0 '" + uri + "'");
  EXPECT_EQ(slot.status, 0);
  EXPECT_TRUE(has(slot, "slot 0: ok") && has(slot, "empty")) << slot.text;
  EXPECT_EQ(run("shm inspect --slot 8 '" + uri + "'").status, 2);

  EXPECT_EQ(run(with_config("driver keepalive" + named(lease, "producer"))).status, 0);
  const Json leases = Json::parse(run(with_config("driver leases --format json")).text);
  ASSERT_EQ(leases.size(), 1u);
  EXPECT_EQ(leases[0]["lease_id"], lease["lease_id"]);
  EXPECT_EQ(leases[0]["client_id"], 70);
  EXPECT_GE(leases[0]["keepalives"], 1);
  EXPECT_GT(leases[0]["expires_in_s"], 0.0);
  const Outcome stranger = run(with_config("driver keepalive --stream 7 --client-id 71 --role producer --lease-id " +
                                           lease["lease_id"].get<std::string>()));
  EXPECT_EQ(stranger.status, 4);
  EXPECT_TRUE(has(stranger, "is that of PRODUCER 70 on stream 7")) << stranger.text;

  const Outcome detached = run(with_config("driver detach" + named(lease, "producer")));
  EXPECT_EQ(detached.status, 0);
  EXPECT_TRUE(has(detached, "code=OK")) << detached.text;
  EXPECT_EQ(run(with_config("driver detach" + named(lease, "producer"))).status, 0) << "detaching twice does no harm";
  const Outcome late = run(with_config("driver keepalive" + named(lease, "producer")));
  EXPECT_EQ(late.status, 4);
  EXPECT_TRUE(has(late, "unknown lease")) << late.text;
}

TEST_F(LeaseByHand, IsRefusedWithTheDriversReason) {
  const Outcome unknown = run(with_config("driver attach --stream 8 --role consumer"));
  EXPECT_EQ(unknown.status, 4);
  EXPECT_TRUE(has(unknown, "stream 8: the driver refused the attach, REJECTED: stream not provisioned"))
      << unknown.text;
  const Outcome forged = run(with_config("driver detach --stream 7 --client-id 7 --role consumer --lease-id 1"));
  EXPECT_EQ(forged.status, 4);
  EXPECT_TRUE(has(forged, "unknown lease")) << forged.text;
}

TEST_F(LeaseByHand, IsHeldUntilItsHolderIsStopped) {
  Background holder({"driver", "attach", "--stream", "7", "--client-id", "70", "--role", "producer", "--hold", "0",
                     "--config", config_});
  while (Json::parse(await_status().text)["streams"][0]["producer_id"] != 70) {
  }
  holder.signal(SIGTERM);
  EXPECT_EQ(holder.status(), 0);
  EXPECT_EQ(run(with_config("driver attach --stream 7 --client-id 71 --role producer")).status, 0)
      << "the holder's lease was not given back";
}

TEST_F(LeaseByHand, WaitsNoLongerThanItIsTold) {
  const std::string elsewhere = " --control-stream-id 1999";
  EXPECT_EQ(run(with_config("driver attach --stream 7 --role consumer --attach-timeout 0.2" + elsewhere)).status, 3);
  const Outcome kept = run(
      with_config("driver keepalive --stream 7 --client-id 70 --role consumer --lease-id 5 --timeout 0.3" + elsewhere));
  EXPECT_EQ(kept.status, 3);
  EXPECT_TRUE(has(kept, "no driver counted one within 0.3 s")) << kept.text;
}

TEST_F(LeaseByHand, TakesWordsInCapitalsForWhatTheySay) {
  const Json lease = attach("--stream 7 --client-id 70 --role PRODUCER --hugepages STANDARD");
  EXPECT_EQ(lease["role"], "PRODUCER");
  EXPECT_EQ(run(with_config("driver keepalive" + named(lease, "Producer"))).status, 0);
  EXPECT_EQ(run(with_config("driver detach" + named(lease, "PRODUCER"))).status, 0);
  EXPECT_EQ(run(with_config("driver attach --stream 7 --role CONSUMER --hugepages HUGEPAGES")).status, 4);
}

TEST_F(LeaseByHand, AnswersToThePublishedNamesAndArguments) {
  const std::string where = " '" + dir_.path() + "/aeron' aeron:ipc 1000 70 producer 7";
  const Outcome attached = run_shell(TP_TOOL_BINARY " driver-attach" + where + " allow_create 0 unspecified 5000 2>&1");
  ASSERT_EQ(attached.status, 0) << attached.text;
  const std::size_t at = attached.text.find("lease_id=");
  ASSERT_NE(at, std::string::npos) << attached.text;
  const std::string lease_id = attached.text.substr(at + 9, attached.text.find('\n', at) - at - 9);
  EXPECT_EQ(run_shell(TP_TOOL_BINARY " driver-keepalive" + where + " " + lease_id).status, 0);
  const Outcome detached = run_shell("TP_LEASE_ID=" + lease_id + " " TP_TOOL_BINARY " driver-detach" + where);
  EXPECT_EQ(detached.status, 0);
  EXPECT_TRUE(has(detached, "code=OK")) << detached.text;
}

TEST(LeaseArguments, AreCheckedBeforeAnythingIsSent) {
  EXPECT_TRUE(has(run("driver attach --stream 7"), "tp: --role is required"));
  EXPECT_EQ(run("driver attach --stream 7 --role owner").status, 2);
  EXPECT_EQ(run("driver attach --stream -1 --role consumer").status, 2);
  EXPECT_EQ(run("driver keepalive --stream 7 --role consumer --lease-id 5").status, 2) << "whose lease?";
  EXPECT_EQ(run("driver detach --stream 7 --client-id 0 --role consumer --lease-id 5").status, 2);
  EXPECT_EQ(run("driver detach --stream 7 --client-id 7 --role consumer --lease-id -5").status, 2);
}

}  // namespace
}  // namespace tensorpool::apps::tp
