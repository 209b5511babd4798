// Region files that somebody truncates while processes have them mapped: with install_sigbus_guard both processes live,
// say what happened, and frames flow again in new files; without it SIGBUS kills who touches them.
#include <fmt/format.h>

#include <csignal>
#include <filesystem>

#include "support/rig.hpp"

namespace tensorpool {
namespace {

namespace fs = std::filesystem;

class TruncatedFiles : public RigTest {
 protected:
  void SetUp() override { rig().start(); }
  // A producer that writes and a consumer that reads what it writes.
  void spawn(const std::string& producers_guard) {
    producer_ = rig().spawn_producer({producers_guard});
    consumer_ = rig().spawn_consumer({"guard=1"});
    ASSERT_TRUE(consumer_->advances("delivered", 50)) << consumer_->output();
    epoch_ = rig().epoch_of(Rig::stream);
  }
  std::string path_of(const std::string& file) { return rig().epoch_dir(epoch_) + "/" + file; }
  std::string given_up(const std::string& file) {
    return fmt::format(
        "event mapping_failed: stream {} epoch {} is given up and attached anew: region {} has lost its "
        "memory",
        Rig::stream, epoch_, path_of(file));
  }
  // Every frame that was delivered is whole, before and after.
  void expect_frames_in_a_later_epoch() {
    EXPECT_TRUE(eventually([&] { return consumer_->value("epoch") > epoch_; })) << consumer_->output();
    EXPECT_TRUE(consumer_->advances("delivered", 50)) << consumer_->output();
    EXPECT_EQ(consumer_->value("bad"), 0U);
    EXPECT_EQ(consumer_->value("disorder"), 0U);
  }
  static void expect_clean_end(Child& child) {
    child.close_input();
    EXPECT_EQ(child.wait(), 0) << child.output();
  }

  std::unique_ptr<Child> producer_, consumer_;
  std::uint64_t epoch_ = 0;
};

// The consumer may follow to the next epoch without ever touching the old one again.
TEST_F(TruncatedFiles, AreOutlivedByAProducerWithTheGuard) {
  spawn("guard=1");
  for (const char* const file : {"header.ring", "1.pool"}) {
    fs::resize_file(path_of(file), 0);
    EXPECT_TRUE(producer_->await(given_up(file))) << producer_->output();
    expect_frames_in_a_later_epoch();
    epoch_ = consumer_->value("epoch");
  }
  expect_clean_end(*consumer_);
  expect_clean_end(*producer_);
}

// Frames wait for a consumer that rests, and their producer stands still, when their ring goes.
TEST_F(TruncatedFiles, AreOutlivedByAConsumerWithTheGuard) {
  spawn("guard=1");
  consumer_->send("pause");
  ASSERT_TRUE(eventually([&] { return producer_->value("next") > consumer_->value("seq") + 3; }));
  producer_->signal(SIGSTOP);
  fs::resize_file(path_of("header.ring"), 0);
  consumer_->send("resume");
  EXPECT_TRUE(consumer_->await(given_up("header.ring"))) << consumer_->output();
  producer_->signal(SIGCONT);
  expect_frames_in_a_later_epoch();
  expect_clean_end(*consumer_);
  expect_clean_end(*producer_);
}

TEST_F(TruncatedFiles, AreOutlivedAgainAndAgain) {
  spawn("guard=1");
  for (int round = 0; round < 5; ++round) {
    fs::resize_file(path_of(round % 2 == 0 ? "header.ring" : "1.pool"), 0);
    expect_frames_in_a_later_epoch();
    epoch_ = consumer_->value("epoch");
  }
  expect_clean_end(*consumer_);
  expect_clean_end(*producer_);
}

TEST_F(TruncatedFiles, KillAProcessWithoutTheGuardAndNobodyElse) {
  spawn("guard=0");
  fs::resize_file(path_of("header.ring"), 0);
  EXPECT_EQ(producer_->wait(), 128 + SIGBUS) << producer_->output();
  ASSERT_TRUE(eventually([&] { return rig().driver_status().counts.expirations == 1; })) << "the lease did not expire";
  producer_ = rig().spawn_producer({"guard=0"});
  expect_frames_in_a_later_epoch();
  expect_clean_end(*consumer_);
  expect_clean_end(*producer_);
}

}  // namespace
}  // namespace tensorpool
