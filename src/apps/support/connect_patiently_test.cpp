#include "apps/support/connect_patiently.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "apps/support/exit_code.hpp"
#include "transport/loopback/faults.hpp"

namespace tensorpool::apps {
namespace {

namespace loopback = transport::loopback;

class Patient : public ::testing::Test {
 protected:
  void TearDown() override { loopback::remove_bus(options_.aeron_dir); }

  // Gives up after `questions`; says its line each time.
  Patience patience(int questions) {
    return {[left = questions]() mutable { return --left < 0; },
            [this](std::string_view line) { said_.emplace_back(line); }, 0};
  }

  ClientOptions options_ = [] {
    ClientOptions options;
    options.aeron_dir = "connect-patiently-test";
    options.control = {"aeron:ipc", 15000};
    return options;
  }();
  std::vector<std::string> said_;
};

TEST_F(Patient, SaysThatItWaitsForAMediaDriverAndHeedsAStop) {
  const Result<Client> client = connect_patiently(options_, patience(2));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::closed);
  ASSERT_FALSE(said_.empty());
  EXPECT_EQ(said_[0].substr(0, 62), "waiting: there is no media driver in connect-patiently-test: n");
}

TEST_F(Patient, SaysWhichDriverItWaitsForAndHeedsAStop) {
  loopback::start_media_driver(options_.aeron_dir);
  Result<Client> client = connect_patiently(options_, patience(2));
  ASSERT_TRUE(client);
  const Result<Producer> producer = client->attach_producer({.stream_id = 1});
  ASSERT_FALSE(producer);
  EXPECT_EQ(producer.error().code, ErrorCode::closed);
  ASSERT_FALSE(said_.empty());
  EXPECT_EQ(said_[0],
            "waiting: no answer yet from a tensorpool driver on control stream 15000 of aeron:ipc in "
            "connect-patiently-test");
}

TEST_F(Patient, SaysTheRefusalThatAnAttachWaitsOn) {
  int heard = 0;
  options_.on_event = [&](const Event&) { ++heard; };
  const auto what = describe_wait(options_);
  options_.on_event({EventKind::refused, 1, 7, "producer 7 of stream 1: producer already attached (REJECTED)"});
  EXPECT_EQ(what(), "producer 7 of stream 1: producer already attached (REJECTED)");
  options_.on_event({EventKind::mapping_failed, 1, 7, "no room"});
  EXPECT_EQ(what(), "no room");
  options_.on_event({EventKind::attached, 1, 7, "attached"});
  EXPECT_NE(what().find("no answer yet"), std::string::npos) << what();
  EXPECT_EQ(heard, 3) << "events are passed on";
}

TEST(ExitCode, TellsConfigurationSilenceRefusalAndFailureApart) {
  EXPECT_EQ(exit_code_of(ErrorCode::invalid_config), 2);
  EXPECT_EQ(exit_code_of(ErrorCode::timed_out), 3);
  EXPECT_EQ(exit_code_of(ErrorCode::unavailable), 3);
  EXPECT_EQ(exit_code_of(ErrorCode::refused), 4);
  EXPECT_EQ(exit_code_of(ErrorCode::io_error), 1);
}

}  // namespace
}  // namespace tensorpool::apps
