#include "shm/sigbus_guard.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <optional>

#include "shm/slot_reader.hpp"
#include "shm/slot_writer.hpp"
#include "support/expect_says.hpp"
#include "support/region_files.hpp"

namespace tensorpool::shm {
namespace {

namespace fs = std::filesystem;

// Runs `body` in a process of its own, whose SIGBUS nobody else handles; its exit status, or 128 + the signal that
// killed it. The guard is for good, so no other test gets it.
int in_a_process(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGBUS, SIG_DFL);  // a sanitizer's would report, and exit
    ::_exit(body());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

constexpr int killed = 128 + SIGBUS;

// The first expectation that does not hold ends the process with its line.
#define HOLDS(condition) \
  if (!(condition)) ::_exit(__LINE__ % 120 + 1)

class SigbusGuard : public ::testing::Test {
 protected:
  static constexpr std::size_t bytes = 64;

  std::unique_ptr<RegionSet> map(Access access) { return files_.map(layout_, access); }
  void commit(std::uint64_t seq) {
    const auto writable = map(Access::read_write);
    SlotWriter writer(*writable);
    const TensorLayout layout = TensorLayout::raw_bytes(bytes);
    const int pool = writer.pool_for(bytes);
    writer.begin(seq, pool);
    writer.commit(seq, pool, {.values_len_bytes = bytes, .timestamp_ns = 1, .meta_version = 0, .layout = &layout});
  }
  static bool opens(RegionSet& regions, std::uint64_t seq) {
    SlotReader reader(regions);
    SlotView slot;
    return reader.open(seq, slot) == SlotFault::none;
  }
  // A byte of the smallest pool's last slot.
  static volatile std::byte& far_byte(RegionSet& regions) { return regions.payload_slot(3, 0)[512]; }

  RegionFiles files_;
  RegionLayout layout_ = files_.make();
};

TEST_F(SigbusGuard, LetsAProcessDieAsBeforeWhereItIsNotInstalled) {
  EXPECT_EQ(in_a_process([&] {
              const auto regions = map(Access::read_only);
              fs::resize_file(layout_.header_path, 0);
              return opens(*regions, 0) ? 1 : 0;
            }),
            killed);
}

TEST_F(SigbusGuard, ReadsZerosWhereTheRingWasTruncatedAndNamesIt) {
  commit(0);
  EXPECT_EQ(in_a_process([&] {
              HOLDS(install_sigbus_guard());
              const auto regions = map(Access::read_only);
              HOLDS(opens(*regions, 0));
              HOLDS(regions->lost_region() == nullptr);
              fs::resize_file(layout_.header_path, 0);
              HOLDS(!opens(*regions, 0));
              HOLDS(*regions->lost_region() == layout_.header_path);
              HOLDS(regions->activity() == 1000);  // the pools are whole
              return 0;
            }),
            0);
}

// Zeros of a payload would pass for one while its header says so.
TEST_F(SigbusGuard, LetsNoFrameOfATruncatedPoolThrough) {
  commit(3);
  EXPECT_EQ(in_a_process([&] {
              HOLDS(install_sigbus_guard());
              const auto regions = map(Access::read_only);
              HOLDS(regions->pools()[0].pool_id == 1);
              const std::string path = fs::path(layout_.header_path).parent_path() / "1.pool";
              SlotReader reader(*regions);
              SlotView slot;
              HOLDS(reader.open(3, slot) == SlotFault::none);
              fs::resize_file(path, 0);
              HOLDS(still_valid(slot.commit_word, 3));  // nobody touched it yet
              HOLDS(far_byte(*regions) == std::byte{0});
              HOLDS(!still_valid(slot.commit_word, 3));
              HOLDS(*regions->lost_region() == path);
              HOLDS(!opens(*regions, 3));
              return 0;
            }),
            0);
}

TEST_F(SigbusGuard, TakesWhatAProducerWritesAndKeepsItFromEveryOther) {
  EXPECT_EQ(in_a_process([&] {
              HOLDS(install_sigbus_guard());
              const auto regions = map(Access::read_write);
              const std::string path = fs::path(layout_.header_path).parent_path() / "1.pool";
              fs::resize_file(path, 0);
              far_byte(*regions) = std::byte{7};
              HOLDS(far_byte(*regions) == std::byte{7});
              regions->touch_activity(2000);
              HOLDS(*regions->lost_region() == path);
              HOLDS(fs::file_size(path) == 0);
              return 0;
            }),
            0);
}

// Cut where a page begins, and below the last slot: its superblock stays, so that the file can be whole again.
TEST_F(SigbusGuard, ReadsZerosWhereAFileIsWholeAgainUntilItIsMappedAnew) {
  layout_ = files_.make(small_spec(8, 64));
  EXPECT_EQ(in_a_process([&] {
              HOLDS(install_sigbus_guard());
              auto regions = map(Access::read_only);
              const auto size = fs::file_size(layout_.header_path);
              fs::resize_file(layout_.header_path, 4096);
              HOLDS(!opens(*regions, 63));
              fs::resize_file(layout_.header_path, size);
              HOLDS(*regions->lost_region() == layout_.header_path);
              regions.reset();
              commit(63);
              regions = map(Access::read_only);
              HOLDS(opens(*regions, 63));
              HOLDS(regions->lost_region() == nullptr);
              return 0;
            }),
            0);
}

TEST_F(SigbusGuard, KnowsManyMappingsAtOnce) {
  EXPECT_EQ(in_a_process([&] {
              HOLDS(install_sigbus_guard());
              std::vector<std::unique_ptr<RegionSet>> many;
              for (int i = 0; i < 100; ++i) many.push_back(map(Access::read_only));
              fs::resize_file(layout_.header_path, 0);
              for (const auto& regions : many) HOLDS(!opens(*regions, 0));
              for (const auto& regions : many) HOLDS(*regions->lost_region() == layout_.header_path);
              return 0;
            }),
            0);
}

// A file of the test's own, of no bytes, mapped without our knowing.
class Foreign : public SigbusGuard {
 protected:
  static volatile char* truncated_page(const fs::path& path) {
    std::FILE* const file = std::fopen(path.c_str(), "w+");
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ::fileno(file), 0);
    std::fclose(file);
    return page == MAP_FAILED ? nullptr : static_cast<volatile char*>(page);
  }
  fs::path path_ = fs::path(files_.base_dir()) / "foreign";
};

TEST_F(Foreign, KillsAsBeforeWhereNobodyHandledIt) {
  for (void (*const before)(int) : {SIG_DFL, SIG_IGN}) {
    EXPECT_EQ(in_a_process([&] {
                std::signal(SIGBUS, before);
                HOLDS(install_sigbus_guard());
                const auto regions = map(Access::read_only);
                return *truncated_page(path_) + 1;
              }),
              killed);
  }
}

TEST_F(Foreign, GoesToTheHandlerThatWasThereBefore) {
  EXPECT_EQ(in_a_process([&] {
              std::signal(SIGBUS, [](int) { ::_exit(77); });
              HOLDS(install_sigbus_guard());
              HOLDS(install_sigbus_guard());  // and once is enough
              const auto regions = map(Access::read_only);
              fs::resize_file(layout_.header_path, 0);
              HOLDS(!opens(*regions, 0));
              return *truncated_page(path_) + 1;
            }),
            77);
}

void* touched = nullptr;  // of the process that the test makes

TEST_F(Foreign, GoesToItWithItsAddress) {
  EXPECT_EQ(in_a_process([&] {
              struct sigaction action {};
              action.sa_flags = SA_SIGINFO;
              action.sa_sigaction = [](int, siginfo_t* info, void*) { ::_exit(info->si_addr == touched ? 78 : 1); };
              ::sigaction(SIGBUS, &action, nullptr);
              HOLDS(install_sigbus_guard());
              volatile char* const page = truncated_page(path_);
              touched = const_cast<char*>(page);
              return *page + 1;
            }),
            78);
}

TEST_F(Foreign, KillsOrIsIgnoredAsBeforeWhenItIsSent) {
  const auto sent_to = [&](void (*const before)(int)) {
    return in_a_process([&] {
      std::signal(SIGBUS, before);
      HOLDS(install_sigbus_guard());
      ::kill(::getpid(), SIGBUS);
      return 0;
    });
  };
  EXPECT_EQ(sent_to(SIG_DFL), killed);
  EXPECT_EQ(sent_to(SIG_IGN), 0);
}

// Truncates each superblock's page when it is mapped to be written.
class Truncating : public SystemCalls {
 public:
  void* map(int fd, std::uint64_t offset, std::size_t length) override {
    void* const address = SystemCalls::map(fd, offset, length);
    if (armed) SystemCalls::truncate(fd, 0);
    return address;
  }
  bool armed = false;
};

TEST_F(SigbusGuard, FailsTheMakingOfAnEpochWhoseFilesAreTruncatedMeanwhile) {
  Truncating calls;
  RegionFiles files(calls);
  calls.armed = true;
  RegionSpec spec = small_spec();
  spec.prefault = false;
  EXPECT_EQ(in_a_process([&] {
              HOLDS(install_sigbus_guard());
              auto creator = RegionCreator::begin(files.store(), spec);
              HOLDS(creator);
              for (int step = 0; step < 1000; ++step) {
                const auto progress = creator->step(1 << 20, 1000);
                if (progress) continue;
                HOLDS(progress.error().message.find("header.ring was truncated by somebody") != std::string::npos);
                return 0;
              }
              return 1;
            }),
            0);
}

}  // namespace
}  // namespace tensorpool::shm
