// spec: wire 15.21 (regions are opened only below allowed directories), driver 4: the rules of path_policy.hpp, one by
// one.
#include "shm/path_policy.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/expect_says.hpp"
#include "support/temp_dir.hpp"

namespace tensorpool::shm {
namespace {

namespace fs = std::filesystem;

// base/tensorpool-me/ns/1/7/header.ring, as a driver lays it out.
class OpenRegion : public ::testing::Test {
 protected:
  OpenRegion() {
    fs::create_directories(epoch_dir());
    for (fs::path dir = epoch_dir(); dir != base_.path(); dir = dir.parent_path()) {
      fs::permissions(dir, static_cast<fs::perms>(0750));  // whatever the umask
    }
    write(ring());
  }

  std::string epoch_dir() const { return base_.path() + "/tensorpool-me/ns/1/7"; }
  std::string ring() const { return epoch_dir() + "/header.ring"; }
  PathPolicy policy() const { return {{base_.path()}}; }

  static void write(const std::string& path) {
    std::ofstream(path) << "content";
    ASSERT_EQ(::chmod(path.c_str(), 0660), 0);
  }

  // The message of the refusal; fails the test if the path is opened.
  std::string refusal(const std::string& path, const PathPolicy& policy,
                      ErrorCode code = ErrorCode::permission_denied) {
    const auto opened = open_region(path, Access::read_only, policy);
    EXPECT_FALSE(opened.has_value()) << path;
    if (opened) return {};
    EXPECT_EQ(opened.error().code, code) << opened.error().message;
    EXPECT_NE(opened.error().message.find(path), std::string::npos)
        << "the path is not named: " << opened.error().message;
    return opened.error().message;
  }
  std::string refusal(const std::string& path) { return refusal(path, policy()); }

  TempDir base_;
  TempDir elsewhere_;
};

using ::testing::Test;

TEST_F(OpenRegion, OpensARegularFileBelowAnAllowedDirectory) {
  EXPECT_TRUE(open_region(ring(), Access::read_only, policy()).has_value());
  EXPECT_TRUE(open_region(ring(), Access::read_write, policy()).has_value());
}

TEST_F(OpenRegion, OpensReadOnlyForConsumers) {
  const auto opened = open_region(ring(), Access::read_only, policy());
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(::fcntl(opened->get(), F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST_F(OpenRegion, RefusesEverythingWhenNothingIsAllowed) {
  expect_says(refusal(ring(), PathPolicy{}), "no base directory is allowed");
}

TEST_F(OpenRegion, RefusesAPathBelowNoAllowedDirectory) {
  write(elsewhere_.path() + "/header.ring");
  expect_says(refusal(elsewhere_.path() + "/header.ring"), "not below an allowed base directory (" + base_.path());
}

TEST_F(OpenRegion, RefusesADirectoryWhoseNameOnlyBeginsLikeAnAllowedOne) {
  const std::string sibling = base_.path() + "x";
  fs::create_directory(sibling);
  write(sibling + "/header.ring");
  expect_says(refusal(sibling + "/header.ring"), "not below");
  fs::remove_all(sibling);
}

TEST_F(OpenRegion, RefusesARelativePath) { expect_says(refusal("tensorpool-me/ns/1/7/header.ring"), "not absolute"); }

TEST_F(OpenRegion, RefusesDotDotEvenWhereItStaysInside) {
  expect_says(refusal(epoch_dir() + "/../7/header.ring"), "'..'");
  expect_says(refusal(base_.path() + "/../../etc/passwd"), "'..'");
}

TEST_F(OpenRegion, RefusesAnEmptyPathANulByteAndAnEndlessPath) {
  EXPECT_FALSE(open_region("", Access::read_only, policy()).has_value());
  EXPECT_FALSE(open_region(ring() + std::string("\0x", 2), Access::read_only, policy()).has_value());
  EXPECT_FALSE(open_region(base_.path() + "/" + std::string(5000, 'a'), Access::read_only, policy()).has_value());
}

TEST_F(OpenRegion, RefusesASymbolicLinkInEachComponent) {
  const std::vector<std::string> components = {"/tensorpool-me", "/tensorpool-me/ns", "/tensorpool-me/ns/1",
                                               "/tensorpool-me/ns/1/7", "/tensorpool-me/ns/1/7/header.ring"};
  for (const std::string& component : components) {
    const std::string link = base_.path() + component;
    const std::string moved = elsewhere_.path() + "/moved";
    fs::rename(link, moved);
    fs::create_symlink(moved, link);
    expect_says(refusal(ring()), "symbolic link");
    fs::remove(link);
    fs::rename(moved, link);
  }
  EXPECT_TRUE(open_region(ring(), Access::read_only, policy()).has_value());
}

TEST_F(OpenRegion, RefusesALinkThatStaysInside) {
  fs::create_symlink("header.ring", epoch_dir() + "/other.ring");
  expect_says(refusal(epoch_dir() + "/other.ring"), "symbolic link");
}

TEST_F(OpenRegion, RefusesAFifoWithoutWaitingForItsWriter) {
  const std::string fifo = epoch_dir() + "/1.pool";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  expect_says(refusal(fifo), "not a regular file");
}

TEST_F(OpenRegion, RefusesADirectory) {
  expect_says(refusal(epoch_dir()), "not a regular file");
  expect_says(refusal(epoch_dir() + "/"), "names a directory");
  EXPECT_FALSE(open_region(epoch_dir(), Access::read_write, policy()).has_value());
}

TEST_F(OpenRegion, RefusesADevice) { expect_says(refusal("/dev/null", PathPolicy{{"/dev"}}), "not a regular file"); }

TEST_F(OpenRegion, RefusesAFileWithASecondName) {
  fs::create_hard_link(ring(), elsewhere_.path() + "/second");
  expect_says(refusal(ring()), "2 hard links");
}

TEST_F(OpenRegion, RefusesAFileThatAnybodyMayWrite) {
  ASSERT_EQ(::chmod(ring().c_str(), 0666), 0);
  expect_says(refusal(ring()), "writable by everyone (mode 666)");
}

TEST_F(OpenRegion, RefusesADirectoryThatAnybodyMayWrite) {
  ASSERT_EQ(::chmod((base_.path() + "/tensorpool-me/ns").c_str(), 0777), 0);
  expect_says(refusal(ring()), "directory tensorpool-me/ns");
}

// spec: reliability F6
TEST_F(OpenRegion, RefusesADirectoryThatItsGroupMayWrite) {
  for (const char* dir : {"tensorpool-me", "tensorpool-me/ns", "tensorpool-me/ns/1", "tensorpool-me/ns/1/7"}) {
    const std::string path = base_.path() + "/" + dir;
    ASSERT_EQ(::chmod(path.c_str(), 0770), 0);
    expect_says(refusal(ring()), fmt::format("directory {} below the base is writable by others than its owner", dir));
    ASSERT_EQ(::chmod(path.c_str(), 02750), 0);
  }
  EXPECT_TRUE(open_region(ring(), Access::read_only, policy()).has_value());
}

TEST_F(OpenRegion, AcceptsABaseThatAnybodyMayWriteIfItIsSticky) {
  ASSERT_EQ(::chmod(base_.path().c_str(), 01777), 0);
  EXPECT_TRUE(open_region(ring(), Access::read_only, policy()).has_value());
}

TEST_F(OpenRegion, RefusesAStrangersDirectoryOnTheWay) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give directories away";
  const std::string stream_dir = base_.path() + "/tensorpool-me/ns/1";
  ASSERT_EQ(::chown(stream_dir.c_str(), 4242, 4242), 0);
  expect_says(refusal(ring()), "directory tensorpool-me/ns/1 below the base belongs to user id 4242");
}

TEST_F(OpenRegion, SaysThatAMissingFileIsMissing) {
  expect_says(refusal(epoch_dir() + "/2.pool", policy(), ErrorCode::not_found), "cannot open region");
}

TEST_F(OpenRegion, FollowsAnAllowedDirectoryThatIsItselfALink) {
  const std::string link = elsewhere_.path() + "/base";
  fs::create_symlink(base_.path(), link);
  const PathPolicy through_link{{link}};
  EXPECT_TRUE(open_region(link + "/tensorpool-me/ns/1/7/header.ring", Access::read_only, through_link).has_value());
  EXPECT_TRUE(open_region(ring(), Access::read_only, through_link).has_value()) << "the canonical spelling is as good";
}

TEST_F(OpenRegion, AcceptsTheOwnerOfTheDirectoryBelowTheBaseAndNoOther) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  const std::string user_dir = base_.path() + "/tensorpool-me";
  ASSERT_EQ(::chown(ring().c_str(), 4242, 4242), 0);
  expect_says(refusal(ring()), "belongs to user id 4242");
  ASSERT_EQ(::chown(user_dir.c_str(), 4242, 4242), 0);
  EXPECT_TRUE(open_region(ring(), Access::read_only, policy()).has_value());
}

// The kernel's answer and the portable one must not differ.
TEST_F(OpenRegion, WalksByComponentWithTheSameAnswers) {
  fs::create_symlink(elsewhere_.path(), base_.path() + "/link");
  fs::create_symlink("header.ring", epoch_dir() + "/inside");
  write(elsewhere_.path() + "/secret");
  const UniqueFd base(::open(base_.path().c_str(), O_PATH | O_DIRECTORY));
  for (const std::string& relative :
       {std::string("tensorpool-me/ns/1/7/header.ring"), std::string("tensorpool-me//ns/./1/7/header.ring"),
        std::string("link/secret"), std::string("tensorpool-me/ns/1/7/inside"), std::string("missing/x"),
        std::string("tensorpool-me/ns/1/7/header.ring/x")}) {
    const UniqueFd whole = open_beneath(base.get(), relative, O_RDONLY);
    const int whole_errno = whole ? 0 : errno;
    const UniqueFd walked = open_beneath_by_component(base.get(), relative, O_RDONLY);
    const int walked_errno = walked ? 0 : errno;
    EXPECT_EQ(whole_errno, walked_errno) << relative;
  }
  EXPECT_FALSE(open_beneath_by_component(base.get(), "../" + base_.path().substr(5), O_PATH));
  EXPECT_FALSE(open_beneath_by_component(base.get(), "/etc/passwd", O_RDONLY));
}

}  // namespace
}  // namespace tensorpool::shm
