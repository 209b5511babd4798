// Dead epochs and half-made directories, removed when nobody holds the namespace.
#include "apps/tp/shm_gc.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "apps/tp/test_driver.hpp"
#include "base/file_lock.hpp"
#include "base/user.hpp"
#include "support/region_files.hpp"
#include "support/time_units.hpp"

namespace tensorpool::apps::tp {
namespace {

namespace fs = std::filesystem;
using State = FoundEpoch::State;

class Namespace : public ::testing::Test {
 protected:
  std::vector<State> states(const GcOptions& options, Nanos now) {
    std::vector<State> found;
    const auto all = survey(files_.store(), options, now);
    for (const FoundEpoch& epoch : all->epochs) {
      found.push_back(epoch.state);
    }
    return found;
  }

  shm::RegionFiles files_;
};

TEST_F(Namespace, SparesTheNewestAndWhatSomebodyStillWrites) {
  files_.make(shm::small_spec(1), 10 * second);
  files_.make(shm::small_spec(2), 20 * second);
  files_.make(shm::small_spec(3), 11 * second);
  EXPECT_EQ(states({0, 3 * second}, 21 * second), (std::vector{State::dead, State::fresh, State::dead}));
  EXPECT_EQ(states({1, 3 * second}, 60 * second), (std::vector{State::kept, State::dead, State::dead}));
  EXPECT_EQ(states({0, 3 * second}, 5 * second), (std::vector{State::dead, State::dead, State::dead}))
      << "activity ahead of the clock is from before a reboot";
}

TEST_F(Namespace, LosesOnlyWhatIsDead) {
  files_.make(shm::small_spec(1), 10 * second);
  files_.make(shm::small_spec(2), 20 * second);
  const std::string stream_dir = files_.store().namespace_dir() + "/1001";
  fs::create_directory(stream_dir + "/.making-9");
  std::ofstream(stream_dir + "/.making-9/header.ring") << "half";
  const auto found = survey(files_.store(), {0, 3 * second}, 21 * second);
  ASSERT_EQ(found->half_made, std::vector{stream_dir + "/.making-9"});
  EXPECT_EQ(found->dead_epochs(), 1u);
  EXPECT_GT(found->dead_bytes(), 0u);
  ASSERT_TRUE(collect(files_.store(), *found));
  EXPECT_FALSE(fs::exists(stream_dir + "/1"));
  EXPECT_FALSE(fs::exists(stream_dir + "/.making-9"));
  EXPECT_TRUE(fs::exists(stream_dir + "/2/header.ring"));
}

TEST_F(Namespace, LosesALinkButNotWhatItNames) {
  const TempDir elsewhere;
  write(elsewhere.path() + "/precious", "x");
  files_.make(shm::small_spec(1), second);
  fs::create_directory_symlink(elsewhere.path(), files_.store().epoch_dir(1001, 1) + "/away");
  fs::create_directory_symlink(elsewhere.path(), files_.store().namespace_dir() + "/1001/.removed-5");
  const auto found = survey(files_.store(), {0, 3 * second}, 60 * second);
  ASSERT_TRUE(found);
  (void)collect(files_.store(), *found);
  EXPECT_TRUE(fs::exists(elsewhere.path() + "/precious"));
}

class GcCommand : public RunningDriver {
 protected:
  std::string epochs_of(const std::string& user) const { return dir_.path() + "/tensorpool-" + user + "/default/7"; }
};

TEST_F(GcCommand, RefusesWhileADriverRunsAndCleansUpAfterItsDeath) {
  Background driver({"driver", "run", config_});
  ASSERT_EQ(await_status().status, 0);
  const Outcome held = run(with_config("shm gc"));
  EXPECT_EQ(held.status, 4);
  EXPECT_TRUE(has(held, "is in use")) << held.text;
  driver.signal(SIGKILL);
  (void)driver.status();
  const std::string left = epochs_of(effective_user_name());
  ASSERT_TRUE(fs::exists(left));
  Outcome gone;
  do {  // until what it wrote at its end is old enough
    EXPECT_EQ(run(with_config("shm gc --dry-run")).status, 0);
    EXPECT_TRUE(fs::exists(left)) << "a dry run removes nothing";
    gone = run(with_config("shm gc"));
  } while (gone.status == 0 && fs::exists(left));
  EXPECT_EQ(gone.status, 0);
  EXPECT_TRUE(has(gone, "1 epochs and 0 half-made directories removed")) << gone.text;
  const Outcome nothing =
      run("shm gc --config " +
          write(dir_.path() + "/other.toml", "[shm]\nbase_dir = \"" + dir_.path() + "\"\nnamespace = \"none\"\n"));
  EXPECT_EQ(nothing.status, 1);
  EXPECT_TRUE(has(nothing, "there is no namespace none")) << nothing.text;
}

}  // namespace
}  // namespace tensorpool::apps::tp
