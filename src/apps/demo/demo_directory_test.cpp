#include "apps/demo/demo_directory.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/temp_dir.hpp"

namespace tensorpool::apps {
namespace {

namespace fs = std::filesystem;

TEST(DemoDirectory, IsUniqueAndRemovedWithItsContent) {
  std::string path;
  {
    const auto one = DemoDirectory::create(1);
    const auto other = DemoDirectory::create(1);
    ASSERT_TRUE(one) << one.error().message;
    ASSERT_TRUE(other);
    EXPECT_NE(one->path(), other->path());
    path = one->path();
    std::ofstream(path + "/file") << "content";
    remove_abandoned_directories(fs::path(path).parent_path().string());
    EXPECT_TRUE(fs::exists(path + "/file"));
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(DemoDirectory, GoesElsewhereWhenSharedMemoryIsShort) {
  const auto directory = DemoDirectory::create(std::uint64_t{1} << 62);
  ASSERT_TRUE(directory);
  EXPECT_EQ(directory->path().rfind("/tmp/", 0), 0U);
}

TEST(DemoDirectory, OfAKilledRunIsRemovedAndAKeptOneStays) {
  const TempDir parent("tp_demo_parent");
  const std::string killed = parent.path() + "/tensorpool-demo.killed";
  const std::string kept = parent.path() + "/tensorpool-demo.kept";
  const std::string foreign = parent.path() + "/something";
  for (const std::string& path : {killed, kept, foreign}) fs::create_directories(path + "/shm");
  std::ofstream(killed + "/lock") << "1\n";
  std::ofstream(foreign + "/lock") << "1";
  remove_abandoned_directories(parent.path());
  EXPECT_FALSE(fs::exists(killed));
  EXPECT_TRUE(fs::exists(kept));
  EXPECT_TRUE(fs::exists(foreign));
}

}  // namespace
}  // namespace tensorpool::apps
