// spec: behaviour.md "Memory over epochs": the file system, available memory and the cgroup each have a say.
#include "shm/space.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <map>

namespace tensorpool::shm {
namespace {

class FakeSystem : public SystemCalls {
 public:
  std::uint64_t type = tmpfs_type;
  std::uint64_t blocks = 1000;
  std::uint64_t blocks_free = 500;
  std::map<std::string, std::string> texts;

  int file_system_of_path(const char*, struct statfs* out) override {
    out->f_type = static_cast<decltype(out->f_type)>(type);
    return 0;
  }
  int file_system_space(const char*, struct statvfs* out) override {
    out->f_frsize = 4096;
    out->f_blocks = blocks;
    out->f_bavail = blocks_free;
    return 0;
  }
  std::optional<std::string> read_text(const char* path) override {
    const auto found = texts.find(path);
    if (found == texts.end()) return std::nullopt;
    return found->second;
  }
};

Space probe(FakeSystem& system) {
  const auto space = probe_space("/dev/shm", system);
  EXPECT_TRUE(space.has_value());
  return space ? *space : Space{};
}

TEST(Space, AsksADiskOnlyForItsFreeBlocks) {
  FakeSystem system;
  system.type = 0xEF53;
  system.texts["/proc/meminfo"] = "MemAvailable: 1 kB\n";
  const Space space = probe(system);
  EXPECT_EQ(space.free_bytes(), 500U * 4096);
  EXPECT_EQ(space.limited_by(), "the file system");
}

TEST(Space, CountsAvailableMemoryForATmpfs) {
  FakeSystem system;
  system.texts["/proc/meminfo"] = "MemTotal:       24664064 kB\nMemFree:         100 kB\nMemAvailable:        300 kB\n";
  const Space space = probe(system);
  EXPECT_EQ(space.free_bytes(), 300U * 1024);
  EXPECT_EQ(space.limited_by(), "available memory");
}

TEST(Space, TakesATmpfsWithoutSizeForUnlimited) {
  FakeSystem system;
  system.blocks = system.blocks_free = 0;
  EXPECT_FALSE(probe(system).file_system_free.has_value());
  EXPECT_EQ(probe(system).free_bytes(), std::numeric_limits<std::uint64_t>::max());
}

TEST(Space, SaysNothingOfHugetlbfs) {
  FakeSystem system;
  system.type = hugetlbfs_type;
  system.blocks_free = 0;
  EXPECT_EQ(probe(system).free_bytes(), std::numeric_limits<std::uint64_t>::max());
}

TEST(Space, TakesTheTightestOfNestedVersion2Groups) {
  FakeSystem system;
  system.texts["/proc/self/cgroup"] = "0::/outer/inner\n";
  system.texts["/sys/fs/cgroup/outer/inner/memory.max"] = "max\n";
  system.texts["/sys/fs/cgroup/outer/inner/memory.current"] = "5000\n";
  system.texts["/sys/fs/cgroup/outer/memory.max"] = "100000\n";
  system.texts["/sys/fs/cgroup/outer/memory.current"] = "60000\n";
  system.texts["/sys/fs/cgroup/outer/memory.stat"] = "anon 7\nfile 40000\ninactive_file 10000\nactive_file 3\n";
  const Space space = probe(system);
  EXPECT_EQ(space.cgroup_free, 50000U) << "the file pages that the kernel would drop are free";
  EXPECT_EQ(space.limited_by(), "the cgroup's memory limit");
}

TEST(Space, ReadsVersion1GroupsAndKnowsTheirWordForNoLimit) {
  FakeSystem system;
  system.texts["/proc/self/cgroup"] = "8:pids:/x\n4:cpu,memory:/jobs\n0::/\n";
  system.texts["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "9223372036854771712\n";
  system.texts["/sys/fs/cgroup/memory/memory.usage_in_bytes"] = "1\n";
  EXPECT_FALSE(probe(system).cgroup_free.has_value());
  system.texts["/sys/fs/cgroup/memory/jobs/memory.limit_in_bytes"] = "20000\n";
  system.texts["/sys/fs/cgroup/memory/jobs/memory.usage_in_bytes"] = "30000\n";
  EXPECT_EQ(probe(system).cgroup_free, 0U) << "over its limit";
}

TEST(Space, ToleratesWhateverThosefilesContain) {
  FakeSystem system;
  for (const char* text : {"", "\n", "0::", "0::relative", "::::", "0::/../..", "memory"}) {
    system.texts["/proc/self/cgroup"] = text;
    system.texts["/proc/meminfo"] = text;
    EXPECT_EQ(probe(system).free_bytes(), 500U * 4096) << text;
  }
}

TEST(Space, ProbesThisMachine) {
  const auto space = probe_space("/dev/shm");
  ASSERT_TRUE(space.has_value());
  EXPECT_GT(space->free_bytes(), 0U);
  EXPECT_EQ(probe_space("/nowhere").error().code, ErrorCode::not_found);
}

TEST(Space, RefusesWithNumbersAndTheSettingsToChange) {
  Space space;
  space.file_system_free = 1000;
  EXPECT_TRUE(check_space("stream 1001", "/dev/shm", 1000, space).has_value());
  const Status refused = check_space("stream 1001", "/dev/shm", 1001, space);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::no_space);
  EXPECT_EQ(refused.error().message,
            "stream 1001 needs 1001 bytes in /dev/shm, and 1000 bytes are free (limited by the file system); reduce "
            "the profile's header_nslots or "
            "strides, or set shm.base_dir to a larger file system");
}

}  // namespace
}  // namespace tensorpool::shm
