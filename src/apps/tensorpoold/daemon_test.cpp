// The daemon as it is run: arguments, exit statuses, signals.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "support/child.hpp"
#include "support/temp_dir.hpp"

namespace tensorpool::apps {
namespace {

class Daemon : public testing::Test {
 protected:
  // A node of this test's own, with a media driver of its own.
  std::string config(const std::string& more = {}) {
    const std::string path = dir_.path() + "/node.toml";
    std::ofstream(path) << "[driver]\ninstance_id = \"test\"\naeron_dir = \"" << dir_.path()
                        << "/aeron\"\n[shm]\nbase_dir = \"" << dir_.path()
                        << "\"\n[policies]\ncleanup_shm_on_exit = true\n[profiles.small]\nheader_nslots = 8\n"
                        << "payload_pools = [{ pool_id = 1, stride_bytes = 4096 }]\n"
                        << "[streams.one]\nstream_id = 1\nprofile = \"small\"\n"
                        << more;
    return path;
  }
  static std::unique_ptr<Child> start(std::vector<std::string> arguments,
                                      const std::vector<std::string>& environment = {}) {
    arguments.insert(arguments.begin(), TENSORPOOLD);
    return std::make_unique<Child>(std::move(arguments), environment);
  }
  std::string files() const {
    std::string found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path())) {
      const auto& path = entry.path();
      if (entry.is_regular_file() && path.extension() != ".lock" && path.filename() != "node.toml") {
        found += path.string() + "\n";
      }
    }
    return found;
  }

  TempDir dir_{"tp-daemon", "/dev/shm"};
};

TEST_F(Daemon, RunsTheDriverOfItsFileAndEndsInGoodOrderOnASignal) {
  const auto daemon = start({"--config", config()});
  ASSERT_TRUE(daemon->await("driver test serves control stream 1000")) << daemon->output();
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait(), 0) << daemon->output();
  EXPECT_TRUE(daemon->said("driver test has shut down")) << daemon->output();
  EXPECT_EQ(files(), "");
}

TEST_F(Daemon, RunsDriverAndSupervisorOfOneFile) {
  const auto daemon = start({"--config", config("[supervisor]\npolicies = [{ mode = \"RATE_LIMITED\" }]\n")});
  ASSERT_TRUE(daemon->await("driver test serves control stream 1000")) << daemon->output();
  ASSERT_TRUE(daemon->await("supervisor watches all streams on control stream 1000, with 1 policies"))
      << daemon->output();
  EXPECT_TRUE(daemon->running()) << daemon->output();
  daemon->signal(SIGTERM);
  EXPECT_EQ(daemon->wait(), 0) << daemon->output();
  EXPECT_TRUE(daemon->said("driver test has shut down")) << daemon->output();
  EXPECT_EQ(files(), "");
}

TEST_F(Daemon, StartsAgainWhereAKilledOneWas) {
  const std::string path = config();
  const auto first = start({"--config", path});
  ASSERT_TRUE(first->await("driver test serves")) << first->output();
  first->kill();
  const auto second = start({}, {"TENSORPOOL_CONFIG=" + path});
  ASSERT_TRUE(second->await("driver test serves")) << second->output();
  second->signal(SIGINT);
  EXPECT_EQ(second->wait(), 0) << second->output();
  EXPECT_EQ(files(), "");
}

TEST_F(Daemon, SaysWhyARoleCannotStart) {
  const auto daemon = start({"--config", config("[driver_typo]\nx = 1\n")});
  EXPECT_EQ(daemon->wait(), 2);
  EXPECT_TRUE(daemon->said("driver_typo: unknown")) << daemon->output();
  const auto lonely = start({"--config", config()}, {"DRIVER_MEDIA_DRIVER=external"});
  EXPECT_EQ(lonely->wait(), 3) << lonely->output();
  EXPECT_TRUE(lonely->said("tensorpoold: the driver cannot reach its media driver")) << lonely->output();
}

TEST_F(Daemon, ValidatesWithoutStartingAnything) {
  const auto daemon = start({"--validate", "--config", config()});
  EXPECT_EQ(daemon->wait(), 0) << daemon->output();
  EXPECT_TRUE(daemon->said("node.toml: runs driver")) << daemon->output();
  EXPECT_TRUE(daemon->said("node.toml: ok, 0 errors, 0 warnings")) << daemon->output();
  EXPECT_EQ(files(), "");
}

TEST_F(Daemon, ExplainsItself) {
  const auto help = start({"--help"});
  EXPECT_EQ(help->wait(), 0);
  EXPECT_TRUE(help->said("tensorpoold --config config/quickstart.toml")) << help->output();
  const auto nothing = start({}, {"TENSORPOOL_CONFIG="});
  EXPECT_EQ(nothing->wait(), 2);
  EXPECT_TRUE(nothing->said("no configuration file; name one with --config, or in TENSORPOOL_CONFIG"))
      << nothing->output();
  EXPECT_EQ(start({"--role", "juggler"})->wait(), 2);
}

}  // namespace
}  // namespace tensorpool::apps
