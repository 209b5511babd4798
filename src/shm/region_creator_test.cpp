// spec: driver 4.2 (creation, permissions), wire 6.1; faults F1 and F6: whatever fails, nothing half-made stays.
#include "shm/region_creator.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "protocol/shm_layout.hpp"
#include "support/region_files.hpp"

namespace tensorpool::shm {
namespace {

namespace fs = std::filesystem;

// The kernel's answers, but for the n-th call of any kind, which fails; and a record of sizes.
class FaultyCalls : public SystemCalls {
 public:
  std::size_t fail_at = 0;  // 0 = never
  int error = EIO;
  std::size_t calls = 0;
  std::uint64_t largest_piece = 0;
  std::uint64_t locked_bytes = 0;
  std::uint64_t reserved_bytes = 0;
  int reserve_error = 0;
  int lock_error = 0;
  std::optional<std::uint64_t> huge_page_bytes;

  int open_at(int d, const char* p, int f, mode_t m) override {
    return fails() ? -1 : SystemCalls::open_at(d, p, f, m);
  }
  int make_directory_at(int d, const char* p, mode_t m) override {
    return fails() ? -1 : SystemCalls::make_directory_at(d, p, m);
  }
  int change_mode(int fd, mode_t m) override { return fails() ? -1 : SystemCalls::change_mode(fd, m); }
  int truncate(int fd, std::uint64_t n) override { return fails() ? -1 : SystemCalls::truncate(fd, n); }
  int reserve(int fd, std::uint64_t at, std::uint64_t n) override {
    largest_piece = std::max(largest_piece, n);
    if (reserve_error != 0) return errno = reserve_error, -1;
    reserved_bytes += n;
    return fails() ? -1 : SystemCalls::reserve(fd, at, n);
  }
  void* map(int fd, std::uint64_t at, std::size_t n) override {
    return fails() ? nullptr : SystemCalls::map(fd, at, n);
  }
  int populate(void* a, std::size_t n) override {
    largest_piece = std::max<std::uint64_t>(largest_piece, n);
    return fails() ? -1 : SystemCalls::populate(a, n);
  }
  int lock(void*, std::size_t n) override {
    locked_bytes += n;
    if (lock_error != 0) return errno = lock_error, -1;
    return fails() ? -1 : 0;
  }
  int rename_at(int d, const char* a, const char* b) override { return fails() ? -1 : SystemCalls::rename_at(d, a, b); }
  int file_system_of(int fd, struct statfs* out) override {
    if (fails()) return -1;
    const int result = SystemCalls::file_system_of(fd, out);
    if (huge_page_bytes) {
      out->f_type = static_cast<decltype(out->f_type)>(hugetlbfs_type);
      out->f_bsize = static_cast<decltype(out->f_bsize)>(*huge_page_bytes);
    }
    return result;
  }

 private:
  bool fails() {
    if (++calls != fail_at) return false;
    errno = error;
    return true;
  }
};

std::vector<std::string> tree(const std::string& root) {
  std::vector<std::string> paths;
  for (const auto& entry : fs::recursive_directory_iterator(root))
    paths.push_back(entry.path().string().substr(root.size()));
  std::sort(paths.begin(), paths.end());
  return paths;
}

struct stat status_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status;
}

mode_t mode_of(const std::string& path) { return status_of(path).st_mode & 07777; }
std::uint64_t held(const std::string& path) { return static_cast<std::uint64_t>(status_of(path).st_blocks) * 512; }

Result<RegionCreator::Progress> run(RegionCreator& creator, std::uint64_t max_bytes = 1 << 20) {
  while (true) {
    auto progress = creator.step(max_bytes, 1000);
    if (!progress || *progress == RegionCreator::Progress::done) return progress;
  }
}

TEST(RegionCreator, LaysOutOneFileForEachRegion) {
  RegionFiles files;
  const RegionLayout layout = files.make();
  const std::string dir = files.base_dir() + "/tensorpool-test/default/1001/7";
  EXPECT_EQ(layout.header_path, dir + "/header.ring");
  ASSERT_EQ(layout.pools.size(), 2U);
  EXPECT_EQ(layout.pools[0].path, dir + "/2.pool");
  EXPECT_EQ(layout.pools[1].path, dir + "/1.pool");
  EXPECT_EQ(tree(dir), (std::vector<std::string>{"/1.pool", "/2.pool", "/header.ring"}));
  EXPECT_GE(fs::file_size(layout.header_path), 64 + 4 * 256U);
  EXPECT_GE(fs::file_size(layout.pools[0].path), 64 + 4 * 4096U);
}

TEST(RegionCreator, SetsModesWhateverTheUmask) {
  for (const mode_t umask : {mode_t{0}, mode_t{077}}) {
    const mode_t before = ::umask(umask);
    RegionFiles files;
    RegionSpec spec = small_spec();
    spec.file_mode = 0640;
    const RegionLayout layout = files.make(spec);
    ::umask(before);
    EXPECT_EQ(mode_of(layout.header_path), 0640U);
    EXPECT_EQ(mode_of(layout.pools[0].path), 0640U);
    const fs::path epoch = fs::path(layout.header_path).parent_path();
    for (const fs::path& dir : {epoch, epoch.parent_path(), epoch.parent_path().parent_path(),
                                epoch.parent_path().parent_path().parent_path()}) {
      EXPECT_EQ(mode_of(dir), 02750U) << dir;
    }
  }
}

TEST(RegionCreator, ReservesEveryBlock) {
  RegionFiles files;
  RegionSpec spec = small_spec(7, 64);
  const RegionLayout layout = files.make(spec);
  EXPECT_GE(held(layout.header_path), protocol::region_bytes(64, 256));
  EXPECT_GE(held(layout.pools[0].path), protocol::region_bytes(64, 4096));
  EXPECT_EQ(bytes_to_reserve(spec), held(layout.header_path) + held(layout.pools[0].path) + held(layout.pools[1].path));
}

TEST(RegionCreator, LeavesThePoolsOfAnIdleEpochSparse) {
  RegionFiles files;
  RegionSpec spec = small_spec(7, 64);
  spec.pools_reserved = false;
  const RegionLayout layout = files.make(spec);
  EXPECT_GE(held(layout.header_path), protocol::region_bytes(64, 256));
  EXPECT_EQ(held(layout.pools[0].path), 4096U);
  EXPECT_EQ(bytes_to_reserve(spec), held(layout.header_path) + 2 * 4096);
  EXPECT_TRUE(RegionSet::map(layout, Access::read_only, files.policy()).has_value());
}

TEST(RegionCreator, ReservesOnlySuperblocksOnTouch) {
  RegionFiles files;
  RegionSpec spec = small_spec(7, 64);
  spec.reserve = Reserve::on_touch;
  const RegionLayout layout = files.make(spec);
  EXPECT_EQ(held(layout.header_path), 4096U);
  EXPECT_EQ(held(layout.pools[0].path), 4096U);
}

TEST(RegionCreator, WorksInStepsOfTheSizeItIsGiven) {
  FaultyCalls calls;
  RegionFiles files(calls);
  RegionSpec spec = small_spec(7, 256);
  auto creator = RegionCreator::begin(files.store(), spec);
  ASSERT_TRUE(creator.has_value());
  ASSERT_TRUE(run(*creator, 16384).has_value());
  EXPECT_EQ(calls.largest_piece, 16384U);
  auto frugal = RegionCreator::begin(files.store(), small_spec(8));
  calls.largest_piece = 0;
  ASSERT_TRUE(run(*frugal, 0).has_value());
  EXPECT_EQ(calls.largest_piece, 4096U) << "at least a page, or it would never end";
}

TEST(RegionCreator, ShowsAnEpochOnlyWhenItIsWhole) {
  RegionFiles files;
  auto creator = RegionCreator::begin(files.store(), small_spec());
  ASSERT_TRUE(creator.has_value());
  while (true) {
    const auto progress = creator->step(4096, 1000);
    ASSERT_TRUE(progress.has_value());
    const auto epochs = files.store().epochs(1001);
    ASSERT_TRUE(epochs.has_value());
    if (*progress == RegionCreator::Progress::done) {
      EXPECT_EQ(*epochs, std::vector<std::uint64_t>{7});
      break;
    }
    EXPECT_TRUE(epochs->empty());
  }
  EXPECT_EQ(*creator->step(1, 1), RegionCreator::Progress::done) << "further steps do nothing";
}

TEST(RegionCreator, RemovesWhatItMadeWhenItIsGivenUp) {
  RegionFiles files;
  const auto before = tree(files.base_dir());
  for (int steps = 0; steps < 50; ++steps) {
    auto creator = RegionCreator::begin(files.store(), small_spec());
    ASSERT_TRUE(creator.has_value());
    auto progress = RegionCreator::Progress::working;
    for (int i = 0; i < steps && progress == RegionCreator::Progress::working; ++i) progress = *creator->step(4096, 1);
    if (progress == RegionCreator::Progress::done) return;
    creator = Error{ErrorCode::closed, "given up"};
    ASSERT_EQ(tree(files.base_dir()), before) << "after " << steps << " steps";
  }
  FAIL() << "it never ended";
}

// The SQLite way: fail the first call, then the second, ... until a run meets no failure.
TEST(RegionCreator, LeavesNothingWhicheverSystemCallFails) {
  FaultyCalls calls;
  RegionFiles files(calls);
  const auto before = tree(files.base_dir());
  RegionSpec spec = small_spec();
  spec.mlock = true;
  std::size_t failures = 0;
  for (std::size_t nth = 1;; ++nth) {
    calls.calls = 0;
    calls.fail_at = nth;
    auto creator = RegionCreator::begin(files.store(), spec);
    const Result<RegionCreator::Progress> progress =
        creator ? run(*creator) : Result<RegionCreator::Progress>(creator.error());
    if (calls.calls < nth) {
      EXPECT_TRUE(progress.has_value());
      break;
    }
    ++failures;
    ASSERT_FALSE(progress.has_value()) << "call " << nth << " failed unnoticed";
    EXPECT_NE(progress.error().message.find("/"), std::string::npos) << "no path in: " << progress.error().message;
    if (creator) {
      EXPECT_EQ(creator->step(4096, 1).error().message, progress.error().message);
    }
    ASSERT_EQ(tree(files.base_dir()), before) << "call " << nth << ": " << progress.error().message;
  }
  EXPECT_GT(failures, 20U);
  EXPECT_EQ(files.store().epochs(1001)->size(), 1U);
}

TEST(RegionCreator, SaysWhatItNeedsWhenTheFileSystemIsFull) {
  FaultyCalls calls;
  RegionFiles files(calls);
  const auto before = tree(files.base_dir());
  auto creator = RegionCreator::begin(files.store(), small_spec());
  ASSERT_TRUE(creator.has_value());
  calls.reserve_error = ENOSPC;
  const auto progress = run(*creator);
  ASSERT_FALSE(progress.has_value());
  EXPECT_EQ(progress.error().code, ErrorCode::no_space);
  for (const std::string& part :
       {std::string("need 32768 bytes"), std::string("bytes are free"), std::string("shm.base_dir"),
        std::string("header_nslots"), std::string("stream 1001"), files.base_dir()}) {
    EXPECT_NE(progress.error().message.find(part), std::string::npos)
        << part << " is not in: " << progress.error().message;
  }
  EXPECT_EQ(tree(files.base_dir()), before);
}

TEST(RegionCreator, KeepsWhatItLockedUntilItsOwnerLetsGo) {
  FaultyCalls calls;
  RegionFiles files(calls);
  RegionSpec spec = small_spec();
  spec.mlock = true;
  auto creator = RegionCreator::begin(files.store(), spec);
  ASSERT_TRUE(creator.has_value());
  ASSERT_TRUE(run(*creator, 4096).has_value());
  EXPECT_EQ(calls.locked_bytes, bytes_to_reserve(spec));
  {
    const LockedRegions locked = creator->take_locked();
    EXPECT_NE(calls.read_text("/proc/self/maps")->find(files.base_dir()), std::string::npos);
  }
  EXPECT_EQ(calls.read_text("/proc/self/maps")->find(files.base_dir()), std::string::npos);
}

TEST(RegionCreator, LetsGoOfWhatItLockedInPieces) {
  RegionFiles files;
  RegionSpec spec = small_spec();
  spec.mlock = true;
  auto creator = RegionCreator::begin(files.store(), spec);
  ASSERT_TRUE(creator.has_value());
  ASSERT_TRUE(run(*creator).has_value());
  LockedRegions locked = creator->take_locked();
  std::uint64_t pieces = 0;
  for (; !locked.empty(); ++pieces) locked.release_some(4096);
  EXPECT_EQ(pieces, bytes_to_reserve(spec) / 4096);
  EXPECT_EQ(system_calls().read_text("/proc/self/maps")->find(files.base_dir()), std::string::npos);
}

// What several owners who make epochs side by side may still count on.
TEST(RegionCreator, SaysWhatItHasStillToReserve) {
  for (const bool pools_reserved : {true, false}) {
    FaultyCalls calls;
    RegionFiles files(calls);
    RegionSpec spec = small_spec();
    spec.pools_reserved = pools_reserved;
    auto creator = RegionCreator::begin(files.store(), spec);
    ASSERT_TRUE(creator.has_value());
    const std::uint64_t whole = bytes_to_reserve(spec);
    EXPECT_EQ(creator->bytes_left_to_reserve(), whole);
    auto progress = RegionCreator::Progress::working;
    while (progress == RegionCreator::Progress::working) {
      EXPECT_EQ(creator->bytes_left_to_reserve(), whole - calls.reserved_bytes);
      progress = creator->step(4096, 1).value();
    }
    EXPECT_EQ(calls.reserved_bytes, whole);
    EXPECT_EQ(creator->bytes_left_to_reserve(), 0U);
  }
}

TEST(RegionCreator, NamesTheLimitWhenItCannotLock) {
  FaultyCalls calls;
  RegionFiles files(calls);
  const auto before = tree(files.base_dir());
  RegionSpec spec = small_spec();
  spec.mlock = true;
  calls.lock_error = ENOMEM;
  auto creator = RegionCreator::begin(files.store(), spec);
  ASSERT_TRUE(creator.has_value());
  const auto progress = run(*creator);
  ASSERT_FALSE(progress.has_value());
  EXPECT_NE(progress.error().message.find("ulimit -l"), std::string::npos) << progress.error().message;
  EXPECT_NE(progress.error().message.find("policies.mlock_shm"), std::string::npos) << progress.error().message;
  EXPECT_TRUE(creator->lock_refused());
  EXPECT_EQ(tree(files.base_dir()), before);
}

TEST(RegionCreator, NeverTouchesAnEpochThatExists) {
  RegionFiles files;
  const RegionLayout layout = files.make();
  const auto inode = status_of(layout.header_path).st_ino;
  auto creator = RegionCreator::begin(files.store(), small_spec());
  ASSERT_TRUE(creator.has_value());
  const auto progress = run(*creator);
  ASSERT_FALSE(progress.has_value());
  EXPECT_EQ(progress.error().code, ErrorCode::already_exists);
  EXPECT_EQ(status_of(layout.header_path).st_ino, inode);
  EXPECT_EQ(files.store().epochs(1001)->size(), 1U);
}

TEST(RegionCreator, RefusesHugePagesWhereThereAreNone) {
  RegionFiles files;
  const auto before = tree(files.base_dir());
  RegionSpec spec = small_spec();
  spec.require_hugepages = true;
  const auto creator = RegionCreator::begin(files.store(), spec);
  ASSERT_FALSE(creator.has_value());
  EXPECT_EQ(creator.error().code, ErrorCode::unsupported);
  EXPECT_NE(creator.error().message.find("shm.require_hugepages"), std::string::npos) << creator.error().message;
  EXPECT_EQ(tree(files.base_dir()), before);
}

TEST(RegionCreator, RoundsFilesUpToHugePages) {
  FaultyCalls calls;
  calls.huge_page_bytes = 2U << 20;
  RegionFiles files(calls);
  RegionSpec spec = small_spec();
  spec.require_hugepages = true;
  auto creator = RegionCreator::begin(files.store(), spec);
  ASSERT_TRUE(creator.has_value());
  ASSERT_TRUE(run(*creator).has_value());
  EXPECT_EQ(fs::file_size(creator->layout().header_path), 2U << 20);
  EXPECT_EQ(fs::file_size(creator->layout().pools[1].path), 2U << 20);
  EXPECT_EQ(bytes_to_reserve(spec, 2U << 20), 6U << 20);
}

TEST(RegionCreator, RefusesSpecsThatNoReaderWouldAccept) {
  RegionFiles files;
  const auto refuses = [&](RegionSpec spec) { return !RegionCreator::begin(files.store(), spec).has_value(); };
  RegionSpec spec = small_spec();
  spec.nslots = 12;
  EXPECT_TRUE(refuses(spec));
  spec = small_spec();
  spec.pools[0].stride_bytes = 4095;
  EXPECT_TRUE(refuses(spec));
  spec = small_spec();
  spec.pools[0].pool_id = spec.pools[1].pool_id;
  EXPECT_TRUE(refuses(spec));
  spec = small_spec();
  spec.pools.clear();
  EXPECT_TRUE(refuses(spec));
  EXPECT_TRUE(files.store().streams()->empty());
}

}  // namespace
}  // namespace tensorpool::shm
