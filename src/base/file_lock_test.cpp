#include "base/file_lock.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "support/temp_dir.hpp"

namespace tensorpool {
namespace {

TEST(FileLock, IsHeldByOneAndNamesTheHolder) {
  const TempDir dir;
  const std::string path = dir.path() + "/a.lock";
  auto first = FileLock::try_acquire(path);
  ASSERT_TRUE(first);
  const auto second = FileLock::try_acquire(path);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::already_exists);
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos) << second.error().message;
}

TEST(FileLock, IsFreeAgainWhenItsHolderGoesAndLeavesAnEmptyFile) {
  const TempDir dir;
  const std::string path = dir.path() + "/a.lock";
  { ASSERT_TRUE(FileLock::try_acquire(path)); }
  EXPECT_EQ(std::filesystem::file_size(path), 0U);
  EXPECT_TRUE(FileLock::try_acquire(path));
}

TEST(FileLock, GivesEachPartToOneHolderAndNoneBesideTheWhole) {
  const TempDir dir;
  const std::string path = dir.path() + "/a.lock";
  {
    auto five = FileLock::try_acquire_part(path, 5);
    ASSERT_TRUE(five) << five.error().message;
    auto six = FileLock::try_acquire_part(path, 6);
    EXPECT_TRUE(six);
    const auto five_again = FileLock::try_acquire_part(path, 5);
    ASSERT_FALSE(five_again);
    EXPECT_EQ(five_again.error().code, ErrorCode::already_exists);
    const auto whole = FileLock::try_acquire(path);
    ASSERT_FALSE(whole);
    EXPECT_EQ(whole.error().code, ErrorCode::already_exists);
  }
  const auto whole = FileLock::try_acquire(path);
  ASSERT_TRUE(whole);
  EXPECT_FALSE(FileLock::try_acquire_part(path, 5));
}

TEST(FileLock, IsSeenButNeverRefusedForTheSakeOfOneWhoLooks) {
  const TempDir dir;
  const std::string path = dir.path() + "/a.lock";
  EXPECT_FALSE(FileLock::is_held(path)) << "there is none";
  {
    const auto whole = FileLock::try_acquire(path);
    EXPECT_TRUE(FileLock::is_held(path));
  }
  EXPECT_FALSE(FileLock::is_held(path));
  {
    const auto part = FileLock::try_acquire_part(path, 7);
    EXPECT_TRUE(FileLock::is_held(path));
  }
  std::atomic<bool> done{false};
  std::atomic<int> looks{0};
  std::thread looker([&] {
    while (!done) looks += FileLock::is_held(path) ? 1 : 2;
  });
  int refusals = 0;
  for (int i = 0; i < 1000 || looks == 0; ++i) refusals += FileLock::try_acquire(path) ? 0 : 1;
  done = true;
  looker.join();
  EXPECT_EQ(refusals, 0);
}

TEST(FileLock, RefusesALinkAndAFifo) {
  const TempDir dir;
  std::filesystem::create_symlink(dir.path() + "/elsewhere", dir.path() + "/link");
  EXPECT_FALSE(FileLock::try_acquire(dir.path() + "/link"));
  ASSERT_EQ(::mkfifo((dir.path() + "/fifo").c_str(), 0600), 0);
  const auto fifo = FileLock::try_acquire(dir.path() + "/fifo");
  ASSERT_FALSE(fifo);
  EXPECT_EQ(fifo.error().code, ErrorCode::permission_denied);
}

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(FileLock, LeavesAFileAloneThatIsNotALockFile) {
  const TempDir dir;
  const std::string path = dir.path() + "/Cargo.lock";
  for (const std::string content :
       {"version = 3\n", "12 monkeys", "12", "-12\n", "12\n\n", "\n", "123456789012345678901\n"}) {
    std::ofstream(path) << content;
    ASSERT_EQ(::chmod(path.c_str(), 0604), 0);
    const auto whole = FileLock::try_acquire(path);
    ASSERT_FALSE(whole) << content;
    EXPECT_EQ(whole.error().code, ErrorCode::permission_denied);
    EXPECT_NE(whole.error().message.find(path + " is not a lock file"), std::string::npos) << whole.error().message;
    EXPECT_FALSE(FileLock::try_acquire_part(path, 1));
    EXPECT_EQ(content_of(path), content);
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0604U);
  }
}

TEST(FileLock, LeavesTheModeOfAFileThatWasThere) {
  const TempDir dir;
  const std::string path = dir.path() + "/a.lock";
  std::ofstream(path).flush();
  ASSERT_EQ(::chmod(path.c_str(), 0604), 0);
  { EXPECT_TRUE(FileLock::try_acquire(path)); }
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0604U);
}

TEST(FileLock, TakesWhatAKilledHolderLeft) {
  const TempDir dir;
  const std::string path = dir.path() + "/a.lock";
  std::ofstream(path) << "4711\n";
  const auto lock = FileLock::try_acquire(path);
  ASSERT_TRUE(lock) << lock.error().message;
  EXPECT_EQ(content_of(path), std::to_string(::getpid()) + "\n");
}

TEST(FileLock, RefusesAFileOfTwoNames) {
  const TempDir dir;
  std::ofstream(dir.path() + "/precious").flush();
  std::filesystem::create_hard_link(dir.path() + "/precious", dir.path() + "/a.lock");
  EXPECT_FALSE(FileLock::try_acquire(dir.path() + "/a.lock"));
}

TEST(FileLock, SaysWhenTheDirectoryIsMissing) {
  const auto lock = FileLock::try_acquire("/nonexistent-directory/a.lock");
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace tensorpool
