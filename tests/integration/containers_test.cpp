// Driver, producer and consumer in mount and pid namespaces of their own, as containers put them: each has its own
// processes, of which it is the first, and its own /dev/shm and /tmp. All that they share is one directory, at the same
// path, for the regions and the media driver. With the real programs; needs no rights beyond user namespaces.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/file_lock.hpp"
#include "support/child.hpp"
#include "support/rig.hpp"
#include "support/temp_dir.hpp"
#include "support/wait.hpp"

namespace tensorpool {
namespace {

namespace fs = std::filesystem;

class Containers : public ::testing::Test {
 protected:
  Containers() {
    fs::create_directory(shared_.path() + "/shm");
    fs::create_directory(shared_.path() + "/media");
    std::ofstream(view_.path() + "/node.toml") << fmt::format(R"([driver]
aeron_dir = "{0}/media/aeron"
[shm]
base_dir = "{0}/shm"
namespace = "lab"
[policies]
announce_period_ms = 200
lease_keepalive_interval_ms = 200
cleanup_shm_on_exit = true
shutdown_timeout_ms = 300
[profiles.camera]
header_nslots = 64
payload_pools = [{{ pool_id = 1, stride_bytes = 65536 }}]
[streams.cam1]
stream_id = 1001
profile = "camera"
)",
                                                              mount_point());
    fs::create_directory(mount_point());
  }
  ~Containers() override { EXPECT_EQ(files_below(shared_.path()), ""); }

  [[nodiscard]] std::string mount_point() const { return view_.path() + "/shared"; }

  // `tp` with these arguments, as process 1 of a container.
  [[nodiscard]] std::unique_ptr<Child> run(const std::string& arguments, const std::string& before = "") const {
    const std::string script = fmt::format(
        "mount --bind {} {} && {} mount -t tmpfs tmpfs /dev/shm && mount -t proc proc /proc && exec {} {} --config "
        "{}/node.toml",
        shared_.path(), mount_point(), before, TP_BINARY, arguments, view_.path());
    std::vector<std::string> command{"/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child"};
    if (::geteuid() != 0) command.emplace_back("--map-root-user");
    command.insert(command.end(), {"/bin/sh", "-c", script});
    return std::make_unique<Child>(std::move(command));
  }
  [[nodiscard]] std::unique_ptr<Child> start_driver() const {
    auto driver = run("driver run");
    EXPECT_TRUE(driver->await("serves control stream")) << driver->output();
    return driver;
  }
  [[nodiscard]] std::unique_ptr<Child> start_camera() const {
    auto camera = run("publish pattern --stream 1001 --bytes 4000 --rate 200");
    EXPECT_TRUE(camera->await("attached as producer")) << camera->output();
    return camera;
  }
  // The same with a further mount of the media driver's directory at `elsewhere`, as a careless operator makes it.
  [[nodiscard]] std::unique_ptr<Child> run_driver_elsewhere(const std::string& elsewhere) const {
    return run("driver run", fmt::format("mount --bind {0}/media/aeron {1} && export "
                                         "DRIVER_AERON_DIR={1} DRIVER_MEDIA_DRIVER=external "
                                         "SHM_NAMESPACE=another && ",
                                         shared_.path(), elsewhere));
  }
  // The process 1 within: unshare itself passes no signal on.
  static void stop(Child& container) {
    const std::string path = fmt::format("/proc/{0}/task/{0}/children", container.pid());
    pid_t inside = 0;
    ASSERT_TRUE(std::ifstream(path) >> inside) << path;
    ::kill(inside, SIGTERM);
    EXPECT_EQ(container.wait(), 0) << container.output();
  }

  // The lock that a driver holds while it lives.
  [[nodiscard]] std::string lock_file() const {
    for (const auto& entry : fs::recursive_directory_iterator(shared_.path() + "/shm")) {
      if (entry.path().filename() == "driver.lock") return entry.path();
    }
    return {};
  }

  TempDir shared_{"tp-shared", "/dev/shm"};
  TempDir view_{"tp-containers"};
};

// The one that the last line of a producer's "writes stream 1001 epoch N, 64 slots" tells.
std::string newest_epoch(const std::string& output) {
  constexpr std::string_view before = "writes stream 1001 epoch ";
  const std::size_t found = output.rfind(before);
  if (found == std::string::npos) return "none";
  const std::size_t begin = found + before.size();
  return output.substr(begin, output.find(',', begin) - begin);
}

// All are process 1 of their own, so every pid that is written down names somebody else.
TEST_F(Containers, ShareFramesThroughTheBaseAndTheAeronDirectoryAlone) {
  const auto driver = start_driver();
  const auto camera = start_camera();
  const auto viewer = run("consume --stream 1001 --verify --count 50");
  EXPECT_EQ(viewer->wait(), 0) << viewer->output() << camera->output();
  stop(*camera);
  EXPECT_TRUE(driver->await("DETACHED")) << driver->output();
  stop(*driver);
}

// Its lock beside the directory is another file there; what is in the directory is the same.
TEST_F(Containers, LetNoSecondDriverAnswerThroughAnotherMountOfTheAeronDirectory) {
  const auto driver = start_driver();
  const std::string elsewhere = view_.path() + "/elsewhere";
  fs::create_directory(elsewhere);
  const auto second = run_driver_elsewhere(elsewhere);
  EXPECT_EQ(second->wait(), 1) << second->output();
  EXPECT_TRUE(second->said("another driver answers on control stream 1000 of the media driver in " + elsewhere))
      << second->output();
  stop(*driver);
}

// The successor finds the files of a process 1 that it cannot see, and is process 1 itself.
TEST_F(Containers, FindTheSuccessorOfADriverThatWasKilledWithItsContainer) {
  auto driver = start_driver();
  const auto camera = start_camera();
  const auto viewer = run("consume --stream 1001 --verify");
  EXPECT_TRUE(viewer->await("attached as consumer")) << viewer->output();
  driver->kill();
  // Its process 1 dies with it, but a little later.
  EXPECT_TRUE(eventually([&] { return FileLock::try_acquire(lock_file()).has_value(); })) << lock_file();
  driver = start_driver();
  EXPECT_TRUE(camera->await("attached: producer")) << camera->output() << driver->output();
  const auto late = run("consume --stream 1001 --verify --count 50");
  EXPECT_EQ(late->wait(), 0) << late->output() << camera->output();
  // It reads that epoch from its new lease on, or follows to it from the idle one before, whichever was first.
  const std::string epoch = newest_epoch(camera->output());
  EXPECT_TRUE(eventually([&] {
    return viewer->said("follows stream 1001 to epoch " + epoch) || viewer->said("reads stream 1001 epoch " + epoch);
  })) << viewer->output();
  stop(*viewer);
  stop(*camera);
  stop(*driver);
}

}  // namespace
}  // namespace tensorpool
