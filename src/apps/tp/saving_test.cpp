// `tp consume --save` where files cannot be written whole: an error with the reason, status 1, no partial file.
#include <filesystem>

#include "apps/imaging/image.hpp"
#include "apps/tp/test_driver.hpp"

namespace tensorpool::apps::tp {
namespace {

namespace fs = std::filesystem;

class Saving : public RunningDriver {
 protected:
  void SetUp() override {
    ASSERT_EQ(await_status().status, 0);
    fs::create_directory(saved_);
  }
  // What a shell says that saves frames after `before`, and then lists the directory.
  Outcome save(const std::string& before) const {
    return run_shell("unshare --mount" + std::string(::geteuid() == 0 ? "" : " --map-root-user") + " sh -c '" + before +
                     "; (" TP_BINARY " consume --count 20 --save " + saved_ + " --config " + config_ +
                     "); echo status $?; ls -A " + saved_ + "; cp " + saved_ + "/* " + dir_.path() + "/kept/ ' 2>&1");
  }

  std::string saved_ = dir_.path() + "/saved";
  Background driver_{{"driver", "run", config_}};
};

TEST_F(Saving, OnAFullDiskIsAFailureThatLeavesWholeFiles) {
  const Background producer({"publish", "pattern", "--size", "128x128", "--rate", "100", "--config", config_});
  fs::create_directory(dir_.path() + "/kept");
  const Outcome outcome = save("mount -t tmpfs -o size=100k tmpfs " + saved_);
  EXPECT_TRUE(has(outcome, "status 1\n")) << outcome.text;
  EXPECT_TRUE(has(outcome, ".png: No space left on device")) << outcome.text;
  EXPECT_FALSE(has(outcome, ".part")) << outcome.text;
  int files = 0;
  for (const auto& file : fs::directory_iterator(dir_.path() + "/kept")) {
    EXPECT_TRUE(load_image(file.path())) << file.path();
    ++files;
  }
  EXPECT_GE(files, 1) << outcome.text;
}

TEST_F(Saving, BeyondTheLimitOfAFilesSizeIsAFailure) {
  for (const char* frames : {"--size=128x128", "--bytes=32768"}) {
    const Background producer({"publish", "pattern", frames, "--rate", "100", "--config", config_});
    const Outcome outcome = save("ulimit -f 16");
    EXPECT_TRUE(has(outcome, "status 1\n")) << outcome.text;
    EXPECT_TRUE(has(outcome, ": File too large")) << outcome.text;
    EXPECT_TRUE(fs::is_empty(saved_)) << outcome.text;
  }
}

}  // namespace
}  // namespace tensorpool::apps::tp
