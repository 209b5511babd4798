// Several users share a driver through a group: who may produce, who may only consume, and what a stranger is told.
// With the real programs, as the users 20000 (the driver's), 20001 (of the group) and 20002 (of none): it takes root to
// become them. What an operator sets up for it is in docs/operations.md.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "apps/support/exit_code.hpp"
#include "support/child.hpp"
#include "support/rig.hpp"
#include "support/temp_dir.hpp"
#include "support/wait.hpp"

namespace tensorpool {
namespace {

namespace fs = std::filesystem;

constexpr uid_t driver_user = 20000;
constexpr uid_t member = 20001;
constexpr uid_t stranger = 20002;
constexpr gid_t group = 20100;

class SeveralUsers : public ::testing::Test {
 protected:
  SeveralUsers() {
    if (::geteuid() != 0) return;
    // One directory for regions and media driver; what is made in it has its group.
    EXPECT_EQ(::chown(shared_.path().c_str(), driver_user, group), 0) << std::strerror(errno);
    EXPECT_EQ(::chmod(shared_.path().c_str(), 02750), 0);
    // Programs and configuration lie where everybody may read them.
    EXPECT_EQ(::chmod(open_.path().c_str(), 0755), 0);
    fs::copy_file(TP_BINARY, tp_);
    std::ofstream(config_) << fmt::format(R"([driver]
aeron_dir = "{0}/aeron"
[shm]
base_dir = "{0}"
[policies]
announce_period_ms = 200
cleanup_shm_on_exit = true
shutdown_timeout_ms = 300
[profiles.camera]
header_nslots = 8
payload_pools = [{{ pool_id = 1, stride_bytes = 65536 }}]
[streams.cam1]
stream_id = 1001
profile = "camera"
)",
                                          shared_.path());
    EXPECT_EQ(::chmod(config_.c_str(), 0644), 0);
  }
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to become several users";
  }
  void TearDown() override {
    if (!driver_) return;
    driver_->signal(SIGTERM);
    EXPECT_EQ(driver_->wait(), 0) << driver_->output();
    EXPECT_EQ(files_below(shared_.path()), "");
  }

  void start_driver(const std::string& permissions_mode, const std::string& umask) {
    mode_ = "SHM_PERMISSIONS_MODE=" + permissions_mode;
    driver_ = as(driver_user, "umask " + umask + "; exec " + tp_ + " driver run " + config_);
    ASSERT_TRUE(driver_->await("serves control stream")) << driver_->output();
  }
  std::unique_ptr<Child> as(uid_t user, const std::string& command) const {
    const std::string id = std::to_string(user);
    return std::make_unique<Child>(
        std::vector<std::string>{"/usr/bin/setpriv", "--reuid", id, "--regid", id, "--groups",
                                 std::to_string(user == stranger ? stranger : group), "/bin/sh", "-c", command},
        std::vector<std::string>{mode_});
  }
  std::unique_ptr<Child> publish(uid_t user, int count) const {
    return as(user, fmt::format("exec {} publish pattern --config {} --stream 1001 --bytes 4000 --rate 200 --count {}",
                                tp_, config_, count));
  }
  std::unique_ptr<Child> consume(uid_t user, const std::string& umask = "0022") const {
    return as(user, fmt::format("umask {}; exec {} consume --config {} --stream 1001 --verify --count 10", umask, tp_,
                                config_));
  }
  void expect_may_consume(uid_t user) const {
    const auto camera = publish(driver_user, 0);
    const auto viewer = consume(user, "0077");
    EXPECT_EQ(viewer->wait(), 0) << viewer->output() << camera->output();
    camera->signal(SIGTERM);
    EXPECT_EQ(camera->wait(), 0) << camera->output();
  }
  // Is told so long before the 30 s of an attach are over.
  static void expect_refused(Child& client, const std::vector<std::string>& words) {
    const Stopwatch asking;
    EXPECT_EQ(client.wait(), apps::exit_failed) << client.output();
    EXPECT_LT(asking.ms(), 15000);
    for (const std::string& word : words) EXPECT_TRUE(client.said(word)) << client.output() << "\nlacks " << word;
  }
  void expect_kept_out(uid_t user, const std::vector<std::string>& words) const {
    std::vector<std::string> all{
        fmt::format("tp: user {} may not use the media driver in {}/aeron: ", user, shared_.path()),
        "shm.permissions_mode"};
    all.insert(all.end(), words.begin(), words.end());
    expect_refused(*publish(user, 10), all);
    expect_refused(*consume(user), all);
  }

  TempDir shared_{"tp-users", "/dev/shm"};
  TempDir open_{"tp-users"};
  std::string tp_ = open_.path() + "/tp";
  std::string config_ = open_.path() + "/lab.toml";
  std::string mode_;
  std::unique_ptr<Child> driver_;
};

TEST_F(SeveralUsers, ProduceAndConsumeWhereTheGroupMayWriteWhateverTheUmask) {
  for (const char* umask : {"0077", "0007", "0022"}) {
    start_driver("660", umask);
    const auto camera = publish(member, 20);
    EXPECT_EQ(camera->wait(), 0) << umask << camera->output();
    expect_may_consume(member);
    expect_kept_out(stranger, {fmt::format("{} belongs to user 20000, group 20100, mode 2750", shared_.path())});
    TearDown();
    driver_.reset();
  }
}

TEST_F(SeveralUsers, OnlyConsumeWhereTheGroupMayOnlyRead) {
  start_driver("640", "0022");
  expect_may_consume(member);
  expect_refused(*publish(member, 10), {"tp: stream 1001 epoch ", "was granted, but cannot be used", "header.ring",
                                        "user 20001 may not write it", "belongs to user 20000, group 20100, mode 0640",
                                        "shm.permissions_mode = \"660\""});
  expect_may_consume(member);  // the refused one left no lease behind
  expect_kept_out(stranger, {});
}

TEST_F(SeveralUsers, AreKeptOutWhereTheModeIsTheOwnersAlone) {
  start_driver("600", "0000");
  expect_kept_out(member, {"/aeron belongs to user 20000, group 20100, mode 0700"});
  ASSERT_EQ(::chmod(shared_.path().c_str(), 02755), 0);
  expect_kept_out(stranger, {"/aeron belongs to user 20000, group 20100, mode 0700"});
  expect_may_consume(driver_user);
}

}  // namespace
}  // namespace tensorpool
