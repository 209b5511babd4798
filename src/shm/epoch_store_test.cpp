// spec: driver 4.3 (epoch directories and their collection); threat T2 and fault F6 of the design: squatters are
// refused.
#include "shm/epoch_store.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "protocol/region_uri.hpp"
#include "support/expect_says.hpp"
#include "support/region_files.hpp"

namespace tensorpool::shm {
namespace {

namespace fs = std::filesystem;

StoreOptions options_in(const std::string& base_dir) {
  StoreOptions options;
  options.base_dir = base_dir;
  options.user = "test";
  return options;
}

std::string refusal(const StoreOptions& options, ErrorCode code) {
  const auto store = EpochStore::open(options);
  EXPECT_FALSE(store.has_value());
  if (store) return {};
  EXPECT_EQ(store.error().code, code) << store.error().message;
  return store.error().message;
}

Status remove_whole(EpochStore& store, std::uint32_t stream_id, std::uint64_t epoch) {
  Result<EpochRemoval> removal = store.remove(stream_id, epoch);
  if (!removal) return removal.error();
  while (true) {
    const Result<bool> done = removal->step();
    if (!done) return done.error();
    if (*done) return {};
  }
}

TEST(EpochStore, ListsWhatIsThereInOrder) {
  RegionFiles files;
  for (const std::uint64_t epoch : {12U, 9U, 100U}) files.make(small_spec(epoch));
  RegionSpec other = small_spec(1);
  other.stream_id = 7;
  files.make(other);
  EXPECT_EQ(*files.store().epochs(1001), (std::vector<std::uint64_t>{9, 12, 100}));
  EXPECT_EQ(*files.store().streams(), (std::vector<std::uint32_t>{7, 1001}));
  EXPECT_TRUE(files.store().epochs(5)->empty());
}

TEST(EpochStore, IgnoresNamesThatItNeverWrites) {
  RegionFiles files;
  files.make();
  const std::string stream = files.store().namespace_dir() + "/1001";
  for (const char* name : {"007", "x", "8x", "-1", "99999999999999999999999", ".making-8", ".removed-5", "+6"})
    fs::create_directory(stream + "/" + name);
  EXPECT_EQ(*files.store().epochs(1001), std::vector<std::uint64_t>{7});
}

TEST(EpochStore, KnowsHowFreshAnEpochIs) {
  RegionFiles files;
  const RegionLayout layout = files.make(small_spec(), 1234);
  EXPECT_EQ(*files.store().last_activity(1001, 7), 1234);
  EXPECT_EQ(files.store().last_activity(1001, 8).error().code, ErrorCode::not_found);
  fs::resize_file(layout.header_path, 63);
  EXPECT_EQ(files.store().last_activity(1001, 7).error().code, ErrorCode::not_found);
}

TEST(EpochStore, RemovesAnEpochAFileAtATime) {
  RegionFiles files;
  files.make();
  files.make(small_spec(8));
  auto removal = files.store().remove(1001, 7);
  ASSERT_TRUE(removal.has_value());
  EXPECT_EQ(*files.store().epochs(1001), std::vector<std::uint64_t>{8}) << "gone from the lists at once";
  int steps = 1;
  while (!*removal->step()) ++steps;
  EXPECT_EQ(steps, 4);
  EXPECT_FALSE(fs::exists(files.store().namespace_dir() + "/1001/.removed-7"));
  EXPECT_TRUE(*removal->step()) << "and stays done";
  EXPECT_EQ(files.store().remove(1001, 7).error().code, ErrorCode::not_found);
}

// Writes down what is cut off at a time.
class CountingCalls : public SystemCalls {
 public:
  int truncate(int fd, std::uint64_t length) override {
    struct stat status {};
    if (::fstat(fd, &status) == 0 && status.st_nlink == 0) {
      ++pieces;
      largest_piece = std::max(largest_piece, static_cast<std::uint64_t>(status.st_size) - length);
    }
    return SystemCalls::truncate(fd, length);
  }
  int pieces = 0;
  std::uint64_t largest_piece = 0;
};

RegionSpec large_spec() {
  RegionSpec spec = small_spec();
  spec.pools = {{1, 16U << 20}};  // 64 MiB
  return spec;
}

// I3: a driver that removed all its files, or an id that was given back, begins anew above what readers may still hold.
TEST(EpochStore, RemembersTheHighestEpochThatItRemoved) {
  RegionFiles files;
  for (const std::uint64_t epoch : {9U, 12U, 100U}) files.make(small_spec(epoch));
  EpochStore& store = files.store();
  EXPECT_EQ(*store.highest_epoch(1001), 100U);
  EXPECT_EQ(*store.highest_epoch(5), 0U);
  for (const std::uint64_t epoch : {12U, 100U, 9U}) ASSERT_TRUE(remove_whole(store, 1001, epoch));
  store.remove_stream_dir_if_empty(1001);
  EXPECT_EQ(*EpochStore::open(options_in(files.base_dir())).value().highest_epoch(1001), 100U);
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(store.namespace_dir())) left.push_back(entry.path().filename());
  EXPECT_EQ(left, std::vector<std::string>{".past-100"});
}

TEST(EpochStore, FreesALargeFileInPieces) {
  CountingCalls calls;
  RegionFiles files(calls);
  files.make(large_spec());
  ASSERT_TRUE(remove_whole(files.store(), 1001, 7).has_value());
  EXPECT_GE(calls.pieces, 4);
  EXPECT_LE(calls.largest_piece, 16U << 20);
  EXPECT_TRUE(files.store().epochs(1001)->empty());
}

TEST(EpochStore, TakesNothingFromWhoStillHasALargeFileMapped) {
  CountingCalls calls;
  RegionFiles files(calls);
  const RegionLayout layout = files.make(large_spec());
  files.map(layout, Access::read_write)->payload_slot(3, 0).back() = std::byte{42};
  const auto reader = files.map(layout, Access::read_only);
  ASSERT_TRUE(remove_whole(files.store(), 1001, 7).has_value());
  EXPECT_EQ(reader->payload_slot(3, 0).back(), std::byte{42});
  EXPECT_EQ(calls.pieces, 0);
}

TEST(EpochStore, LetsAReaderKeepTheEpochThatIsRemovedUnderIt) {
  RegionFiles files;
  const auto set = files.map(files.make(small_spec(), 99), Access::read_only);
  ASSERT_TRUE(remove_whole(files.store(), 1001, 7).has_value());
  EXPECT_EQ(set->activity(), 99);
}

TEST(EpochStore, NeverFollowsALinkWhenItRemoves) {
  RegionFiles files;
  TempDir elsewhere;
  const std::string precious = elsewhere.path() + "/precious";
  std::ofstream(precious) << "keep";
  files.make();
  const std::string stream = files.store().namespace_dir() + "/1001";
  fs::create_symlink(precious, stream + "/7/9.pool");
  fs::create_symlink(elsewhere.path(), stream + "/7/dir");
  fs::create_symlink(elsewhere.path(), stream + "/8");
  fs::create_symlink(elsewhere.path(), stream + "/.making-9");
  EXPECT_TRUE(remove_whole(files.store(), 1001, 7).has_value());
  EXPECT_FALSE(remove_whole(files.store(), 1001, 8).has_value());
  EXPECT_TRUE(files.store().remove_half_made().has_value());
  EXPECT_TRUE(fs::exists(precious));
  EXPECT_FALSE(fs::exists(stream)) << "the links themselves are gone";
}

TEST(EpochStore, RemovesWhatAKilledOwnerLeftAndNothingElse) {
  RegionFiles files;
  const RegionLayout kept = files.make();
  const std::string root = files.store().namespace_dir();
  fs::create_directories(root + "/1001/.making-9/deeper");
  std::ofstream(root + "/1001/.making-9/header.ring") << "half";
  std::ofstream(root + "/1001/.making-9/deeper/file") << "half";
  fs::create_directories(root + "/1001/.removed-3");
  fs::create_directories(root + "/1002/.making-1");
  fs::create_directories(root + "/1003");
  std::ofstream(root + "/driver.lock") << "";
  EXPECT_EQ(*files.store().remove_half_made(), 5U);
  EXPECT_TRUE(fs::exists(kept.header_path));
  EXPECT_TRUE(fs::exists(files.store().lock_path()));
  EXPECT_EQ(*files.store().streams(), std::vector<std::uint32_t>{1001});
  EXPECT_EQ(*files.store().remove_half_made(), 0U);
}

TEST(EpochStore, CreatesAMissingBaseOnlyDirectlyBelowDevShm) {
  const TempDir unique("tensorpool-test", "/dev/shm");
  const std::string missing = unique.path() + "-made";
  {
    const mode_t before = ::umask(077);
    const auto store = EpochStore::open(options_in(missing));
    ::umask(before);
    ASSERT_TRUE(store.has_value());
    EXPECT_EQ(fs::status(missing).permissions(), static_cast<fs::perms>(0755)) << "whatever the umask";
    EXPECT_EQ(store->namespace_dir(), missing + "/tensorpool-test/default");
    EXPECT_TRUE(fs::is_directory(store->namespace_dir()));
  }
  fs::remove_all(missing);
  expect_says(refusal(options_in(unique.path() + "/deeper"), ErrorCode::not_found), "create it, or set shm.base_dir");
  const TempDir elsewhere;
  refusal(options_in(elsewhere.path() + "/base"), ErrorCode::not_found);
}

TEST(EpochStore, ResolvesABaseThatIsALink) {
  const TempDir real;
  const TempDir links;
  fs::create_symlink(real.path(), links.path() + "/base");
  const auto store = EpochStore::open(options_in(links.path() + "/base"));
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ(store->base_dir(), real.path());
}

TEST(EpochStore, RefusesABaseThatAnybodyMayRearrange) {
  const TempDir base;
  ASSERT_EQ(::chmod(base.path().c_str(), 0777), 0);
  expect_says(refusal(options_in(base.path()), ErrorCode::permission_denied), "not sticky");
  ASSERT_EQ(::chmod(base.path().c_str(), 01777), 0);
  EXPECT_TRUE(EpochStore::open(options_in(base.path())).has_value());
}

TEST(EpochStore, RefusesDirectoriesThatOthersMayWrite) {
  for (const char* name : {"/tensorpool-test", "/tensorpool-test/default"}) {
    const TempDir base;
    ASSERT_TRUE(EpochStore::open(options_in(base.path())).has_value());
    ASSERT_EQ(::chmod((base.path() + name).c_str(), 0770), 0);
    expect_says(refusal(options_in(base.path()), ErrorCode::permission_denied),
                std::string(name) + " is writable by others");
  }
}

TEST(EpochStore, RefusesALinkInThePlaceOfItsDirectories) {
  for (const char* name : {"/tensorpool-test", "/tensorpool-test/default"}) {
    const TempDir base;
    const TempDir elsewhere;
    fs::create_directories((base.path() + name));
    fs::remove(base.path() + name);
    ASSERT_EQ(::chmod(fs::path(base.path() + name).parent_path().c_str(), 0700), 0);
    fs::create_symlink(elsewhere.path(), base.path() + name);
    expect_says(refusal(options_in(base.path()), ErrorCode::permission_denied), "a link is not followed");
    EXPECT_TRUE(fs::is_empty(elsewhere.path()));
  }
}

TEST(EpochStore, SaysWhetherItCouldUseABaseDirectoryAndMakesNone) {
  const TempDir base;
  EXPECT_TRUE(EpochStore::check_base_dir(base.path()));
  const std::string missing = "/dev/shm/" + fs::path(base.path()).filename().string();
  EXPECT_TRUE(EpochStore::check_base_dir(missing));
  EXPECT_FALSE(fs::exists(missing));
  const Status deeper = EpochStore::check_base_dir(missing + "/deeper");
  ASSERT_FALSE(deeper);
  expect_says(deeper.error().message, "create it, or set shm.base_dir");
  fs::permissions(base.path(), fs::perms(0777));
  ASSERT_FALSE(EpochStore::check_base_dir(base.path()));
}

TEST(EpochStore, RefusesASquattersDirectory) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give directories away";
  const TempDir base;
  fs::create_directory(base.path() + "/tensorpool-test");
  ASSERT_EQ(::chown((base.path() + "/tensorpool-test").c_str(), 4242, 4242), 0);
  expect_says(refusal(options_in(base.path()), ErrorCode::permission_denied), "belongs to user id 4242");
  ASSERT_EQ(::chown(base.path().c_str(), 4242, 4242), 0);
  expect_says(refusal(options_in(base.path()), ErrorCode::permission_denied), "shm.base_dir");
}

TEST(EpochStore, RefusesNamesThatCouldLeadElsewhere) {
  const TempDir base;
  for (const char* name : {"", "..", "a/b", "a b", "a.b"}) {
    StoreOptions options = options_in(base.path());
    options.namespace_name = name;
    refusal(options, ErrorCode::invalid_config);
  }
  for (const std::string& user : {std::string(), std::string(300, 'a'), std::string(100, ' ')}) {
    StoreOptions options = options_in(base.path());
    options.user = user;
    expect_says(refusal(options, ErrorCode::invalid_config), "shm.user");
  }
  EXPECT_TRUE(fs::is_empty(base.path()));
}

TEST(EpochStore, EscapesWhatADirectoryNameOfAUserCannotHold) {
  for (const char* plain : {"ada", "ada.lovelace@lab", "a+b-c_D9"}) {
    EXPECT_EQ(user_directory_name(plain), std::string("tensorpool-") + plain) << "keeps its path";
  }
  EXPECT_EQ(user_directory_name("CORP\\jane"), "tensorpool-CORP%5Cjane");
  EXPECT_EQ(user_directory_name("pc01$"), "tensorpool-pc01%24");
  EXPECT_EQ(user_directory_name("m\xC3\xBCller"), "tensorpool-m%C3%BCller");
  EXPECT_EQ(user_directory_name("jane doe"), "tensorpool-jane%20doe");
  EXPECT_EQ(user_directory_name("a/../b|c%20"), "tensorpool-a%2F..%2Fb%7Cc%2520");
  const TempDir base;
  for (const char* user : {"CORP\\jane", "pc01$", "m\xC3\xBCller", "jane doe", "..", "a/b", "a\n"}) {
    StoreOptions options = options_in(base.path());
    options.user = user;
    const auto store = EpochStore::open(options);
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_EQ(store->namespace_dir(), base.path() + "/" + user_directory_name(user) + "/default");
    EXPECT_TRUE(protocol::check_region_path(store->namespace_dir() + "/1/2/header.ring"));
  }
}

TEST(EpochStore, RepairsTheModeThatAKilledStartLeft) {
  const TempDir base;
  fs::create_directory(base.path() + "/tensorpool-test");
  ASSERT_EQ(::chmod((base.path() + "/tensorpool-test").c_str(), 0700), 0);
  ASSERT_TRUE(EpochStore::open(options_in(base.path())).has_value());
  struct stat status {};
  ASSERT_EQ(::stat((base.path() + "/tensorpool-test").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 02750U);
}

}  // namespace
}  // namespace tensorpool::shm
