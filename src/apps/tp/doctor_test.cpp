// Each check against a machine of the test's making: a root with its own /proc, /sys and /etc.
#include "apps/tp/doctor.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "apps/tp/test_driver.hpp"
#include "support/region_files.hpp"

namespace tensorpool::apps::tp {
namespace {

namespace fs = std::filesystem;
using Level = Finding::Level;
using transport::MediaDriverState;

constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;

class FakeMachine : public Machine {
 public:
  explicit FakeMachine(const std::string& root) : Machine(root) {}

  int file_system_space(const char* /*path*/, struct statvfs* out) override {
    *out = {};
    out->f_frsize = 1;
    out->f_blocks = free_bytes;
    out->f_bavail = free_bytes;
    return 0;
  }
  int file_system_of_path(const char* /*path*/, struct statfs* out) override {
    *out = {};
    out->f_type = shm::tmpfs_type;
    return 0;
  }

  std::uint64_t free_bytes = 8 * gibibyte;
};

class DoctorTest : public ::testing::Test {
 protected:
  DoctorTest() {
    patient.config.driver.shm.base_dir = files.base_dir();
    patient.config.driver.profiles = {{"a", 1024, 256, 8, {{1, 1 << 20}}}};  // 1 GiB
    patient.config.driver.streams = {{"cam", 1, "a"}};
    put("/proc/self/mounts", "tmpfs / tmpfs rw 0 0\nnone /mnt/huge hugetlbfs rw 0 0\n");
    put("/proc/meminfo",
        "MemAvailable:   16777216 kB\nHugePages_Total:   8\nHugePages_Free:   6\nHugepagesize:   2048 kB\n");
    put("/proc/sys/net/core/rmem_max", "212992\n");
    put("/proc/sys/net/core/wmem_max", "212992\n");
  }

  void put(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(root.path() + path).parent_path());
    write(root.path() + path, text);
  }
  Finding finding(const std::string& check) {
    const Findings findings = examine(patient, {});
    for (const Finding& one : findings.all()) {
      if (one.check == check && (one.level != Level::ok || check != "stale files")) {
        return one;
      }
    }
    return {};
  }

  TempDir root;
  TempDir aeron;
  shm::RegionFiles files;
  FakeMachine machine{root.path()};
  MediaDriverState media = MediaDriverState::alive;
  Patient patient{
      machine, "node.toml",
      {},      aeron.path(),
      "test",  1000,
      0,       [this](const std::string&) {
                    return transport::MediaDriverProbe{media, 42, 0, "as the test says"}; }};
};

TEST_F(DoctorTest, FindsNothingWhereNothingIsWrong) {
  const Findings findings = examine(patient, {});
  EXPECT_TRUE(findings.healthy()) << describe(findings);
  EXPECT_NE(describe(findings).find("0 problems, 0 warnings"), std::string::npos) << describe(findings);
}

TEST_F(DoctorTest, SaysHowLargeSharedMemoryMustBe) {
  machine.free_bytes = gibibyte / 2;
  const Finding found = finding("shared memory");
  EXPECT_EQ(found.level, Level::problem);
  EXPECT_NE(found.what.find("has 512.00 MiB free, all configured streams together take 1.00 GiB"), std::string::npos)
      << found.what;
  EXPECT_NE(found.fix.find("mount -o remount,size=2G /"), std::string::npos) << found.fix;
  patient.config.driver.streams.clear();
  machine.free_bytes = 64 << 20;
  EXPECT_EQ(finding("shared memory").level, Level::warning) << "a container's default";
}

TEST_F(DoctorTest, SeesTheCgroupsLimit) {
  put("/proc/self/cgroup", "0::/box\n");
  put("/sys/fs/cgroup/box/memory.max", "1000000\n");
  put("/sys/fs/cgroup/box/memory.current", "400000\n");
  const Finding found = finding("cgroup");
  EXPECT_EQ(found.level, Level::problem);
  EXPECT_NE(found.fix.find("MemoryMax="), std::string::npos);
}

TEST_F(DoctorTest, WantsTheLockLimitRaisedOnlyWhereMemoryIsToBeLocked) {
  put("/proc/self/limits", "Max locked memory         8388608              unlimited            bytes     \n");
  EXPECT_EQ(finding("memlock").level, Level::ok);
  patient.config.driver.policies.mlock_shm = true;
  const Finding found = finding("memlock");
  EXPECT_EQ(found.level, Level::problem);
  EXPECT_EQ(found.what, "policies.mlock_shm wants 1.00 GiB locked, the limit is 8.00 MiB");
  EXPECT_NE(found.fix.find("test - memlock unlimited"), std::string::npos);
  put("/proc/self/limits", "Max locked memory         unlimited            unlimited            bytes     \n");
  EXPECT_EQ(finding("memlock").level, Level::ok);
  put("/proc/self/limits", "");
  put("/proc/self/status", "CapEff:\t000001ffffffffff\n");
  EXPECT_EQ(finding("memlock").level, Level::ok);
}

TEST_F(DoctorTest, CountsTheHugePagesThatAreMissing) {
  EXPECT_EQ(finding("huge pages").level, Level::ok);
  patient.config.driver.shm.require_hugepages = true;
  EXPECT_NE(finding("huge pages").what.find("shm.base_dir is not on hugetlbfs"), std::string::npos);
  patient.config.driver.shm.base_dir = "/mnt/huge/tp";
  const Finding found = finding("huge pages");
  EXPECT_EQ(found.level, Level::problem);
  EXPECT_EQ(found.fix.substr(0, 22), "sysctl vm.nr_hugepages") << found.fix;
}

TEST_F(DoctorTest, MindsSmallSocketBuffersOnlyWhereUdpIsUsed) {
  EXPECT_EQ(finding("socket buffers").level, Level::ok);
  patient.config.driver.driver.descriptor_channel = "aeron:udp?endpoint=localhost:4000";
  EXPECT_EQ(finding("socket buffers").fix, "sysctl net.core.rmem_max=2097152 net.core.wmem_max=2097152");
  put("/proc/sys/net/core/rmem_max", "4194304\n");
  put("/proc/sys/net/core/wmem_max", "4194304\n");
  EXPECT_EQ(finding("socket buffers").level, Level::ok);
}

TEST_F(DoctorTest, WarnsOfTheLogoutThatDeletesSharedMemory) {
  EXPECT_EQ(finding("RemoveIPC").level, Level::ok) << "no systemd";
  fs::create_directories(root.path() + "/run/systemd/system");
  EXPECT_EQ(finding("RemoveIPC").level, Level::warning);
  put("/etc/systemd/logind.conf.d/shm.conf", "[Login]\nRemoveIPC=no\n");
  EXPECT_EQ(finding("RemoveIPC").level, Level::ok);
  put("/etc/systemd/logind.conf.d/z.conf", "[Login]\nRemoveIPC=yes\n");
  EXPECT_EQ(finding("RemoveIPC").level, Level::warning) << "the last word counts";
  patient.uid = 0;
  EXPECT_EQ(finding("RemoveIPC").level, Level::ok);
}

TEST_F(DoctorTest, TellsEveryStateOfAMediaDriver) {
  const std::vector<std::pair<MediaDriverState, Level>> states{
      {MediaDriverState::alive, Level::ok},       {MediaDriverState::absent, Level::ok},
      {MediaDriverState::stale, Level::warning},  {MediaDriverState::maybe_dead, Level::warning},
      {MediaDriverState::silent, Level::problem}, {MediaDriverState::no_permission, Level::problem}};
  for (const auto& [state, level] : states) {
    media = state;
    const Finding found = finding("media driver");
    EXPECT_EQ(found.level, level) << to_string(state);
    EXPECT_EQ(found.fix.empty(), level == Level::ok) << to_string(state);
  }
  media = MediaDriverState::absent;
  patient.config.driver.driver.media_driver = "external";
  EXPECT_EQ(finding("media driver").level, Level::problem);
}

TEST_F(DoctorTest, MindsWhoMayWriteTheDirectories) {
  ::chmod(aeron.path().c_str(), 0777);
  EXPECT_EQ(finding("aeron directory").fix, "chmod o-rwx " + aeron.path());
  ::chmod(files.base_dir().c_str(), 0777);
  EXPECT_EQ(finding("base directory").level, Level::problem);
}

TEST_F(DoctorTest, CountsStaleEpochs) {
  EXPECT_EQ(finding("stale files").check, "") << "nothing is stale";
  files.make(shm::small_spec(1), nanos_per_second);
  patient.now = 100 * nanos_per_second;
  const Finding found = finding("stale files");
  EXPECT_EQ(found.level, Level::warning);
  EXPECT_NE(found.what.find("1 dead epochs and 0 half-made directories"), std::string::npos) << found.what;
  EXPECT_EQ(found.fix, "tp shm gc node.toml");
}

TEST(Caches, AreReadFromTheSystem) {
  const TempDir root;
  const std::string at = root.path() + "/sys/devices/system/cpu/cpu0/cache/index";
  const std::vector<std::vector<std::string>> indices{
      {"1", "Data", "32K"}, {"1", "Instruction", "64K"}, {"2", "Unified", "1024K"}, {"3", "Unified", "32M"}};
  for (std::size_t i = 0; i < indices.size(); ++i) {
    fs::create_directories(at + std::to_string(i));
    write(at + std::to_string(i) + "/level", indices[i][0] + "\n");
    write(at + std::to_string(i) + "/type", indices[i][1] + "\n");
    write(at + std::to_string(i) + "/size", indices[i][2] + "\n");
  }
  const Caches found = Machine(root.path()).caches();
  EXPECT_EQ(found.l2_bytes, 1U << 20);
  EXPECT_EQ(found.last_level, 3U);
  EXPECT_EQ(found.last_level_bytes, 32U << 20);
  EXPECT_EQ(Machine(root.path() + "/none").caches().last_level_bytes, 0U);
}

TEST(DoctorCommand, NamesEachErrorOfTheConfigurationAndFails) {
  const TempDir dir;
  const std::string path = write(dir.path() + "/bad.toml", "[shm]\nbase_dri = \"/dev/shm\"\n[drivr]\nx = 1\n");
  const Outcome outcome = run("doctor " + path);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(has(outcome, "problem  configuration    " + path + ":2: shm.base_dri: unknown key")) << outcome.text;
  EXPECT_TRUE(has(outcome, path + ":3: ")) << outcome.text;
  const Outcome json = run_for_output("doctor --format json " + path);
  EXPECT_NE(json.text.find("\"healthy\":false"), std::string::npos) << json.text;
}

TEST(DoctorCommand, IsHappyWithADirectoryOfItsOwn) {
  const TempDir dir("tp-doctor", "/dev/shm");
  const Outcome outcome = run("doctor --aeron-dir " + dir.path() + "/aeron --config " +
                              write(dir.path() + "/node.toml", "[shm]\nbase_dir = \"" + dir.path() + "\"\n"));
  EXPECT_EQ(outcome.status, 0) << outcome.text;
  EXPECT_TRUE(has(outcome, "0 problems")) << outcome.text;
}

}  // namespace
}  // namespace tensorpool::apps::tp
