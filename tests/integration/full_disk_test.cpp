// Shared memory that runs out: the one attach is refused with figures and a remedy, nothing half-made is left, and
// whoever was there before does not notice. Each test has a small tmpfs of its own: this program runs itself again in a
// mount namespace, which needs no rights beyond user namespaces.
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "shm/epoch_store.hpp"
#include "support/rig.hpp"
#include "support/temp_dir.hpp"
#include "transport/connection.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t slots = 16;
constexpr std::uint32_t stride = 1 << 20;  // 16 MiB an epoch, of 32 MiB

void run_in_a_mount_namespace(const std::string& test) {
  std::vector<std::string> command{"/usr/bin/unshare", "--mount"};
  if (::geteuid() != 0) command.emplace_back("--map-root-user");
  command.insert(command.end(), {fs::read_symlink("/proc/self/exe").string(), "--gtest_also_run_disabled_tests",
                                 "--gtest_filter=FullDiskInside*.DISABLED_" + test});
  ASSERT_TRUE(fs::exists(command[0])) << "this test needs the command unshare (Debian: util-linux)";
  Child inside(std::move(command));
  EXPECT_EQ(inside.wait(), 0) << inside.output();
  EXPECT_TRUE(inside.said("[  PASSED  ] 1 test"))
      << "this test needs mount namespaces: run it as root, or allow user namespaces" << inside.output();
}

TEST(FullDisk, RefusesTheAttachThatDoesNotFit) { run_in_a_mount_namespace("RefusesTheAttachThatDoesNotFit"); }
TEST(FullDisk, ThatFillsLaterHarmsNobodyAttached) { run_in_a_mount_namespace("ThatFillsLaterHarmsNobodyAttached"); }
TEST(FullDisk, KeepsNoDriverFromStarting) { run_in_a_mount_namespace("KeepsNoDriverFromStarting"); }
TEST(FullDisk, IsSaidToAStandaloneProducer) { run_in_a_mount_namespace("IsSaidToAStandaloneProducer"); }
TEST(FullDisk, IsSaidWhereTheMediaDriversLogDoesNotFit) {
  run_in_a_mount_namespace("IsSaidWhereTheMediaDriversLogDoesNotFit");
}

class FullDiskInside : public RigTest {
 protected:
  void SetUp() override {
    rig({.nslots = slots, .pools = {{1, stride}}});
    ASSERT_EQ(::mount("tmpfs", rig().base_dir().c_str(), "tmpfs", 0, "size=32m,mode=0755"), 0) << std::strerror(errno);
    rig().start();
  }
  void TearDown() override {
    RigTest::TearDown();
    ::umount2(rig().base_dir().c_str(), MNT_DETACH);
  }

  // Every name below the base directory, with its size: what an attach may have made.
  std::vector<std::string> listing() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(base_dir_())) {
      if (entry.path().filename().string().starts_with(shm::past_prefix))
        continue;  // the mark of one that was collected
      all.push_back(entry.path().string() + (entry.is_regular_file() ? " " + std::to_string(entry.file_size()) : "/"));
    }
    std::sort(all.begin(), all.end());
    return all;
  }
  // Takes what is left; the file that has it.
  std::string fill() {
    std::string filler = rig().base_dir() + "/filler";
    std::ofstream file(filler, std::ios::binary);
    const std::string block(1 << 20, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
    file.clear();
    for (file.close(); fs::space(rig().base_dir()).available > 0;) {
      std::ofstream rest(filler, std::ios::binary | std::ios::app);
      if (!rest.write(block.data(), 1).flush()) break;
    }
    EXPECT_EQ(fs::space(rig().base_dir()).available, 0U);
    return filler;
  }
  std::string base_dir_() const { return const_cast<FullDiskInside*>(this)->rig().base_dir(); }
};

TEST_F(FullDiskInside, DISABLED_IsSaidToAStandaloneProducer) {
  Client client = rig().connect("alone");
  ProducerOptions wanted{.stream_id = 77};
  wanted.standalone =
      StandaloneOptions{.pools = {{1, stride}}, .nslots = 64, .base_dir = base_dir_(), .name_space = "alone"};
  const auto refused = client.attach_producer(wanted);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::no_space);
  EXPECT_NE(refused.error().message.find("limited by the file system"), std::string::npos) << refused.error().message;
  EXPECT_EQ(rig().files().find("/alone/"), std::string::npos) << rig().files();
  wanted.standalone->nslots = slots;
  const auto producer = client.attach_producer(wanted);
  EXPECT_TRUE(producer) << producer.error().message;
}

TEST_F(FullDiskInside, DISABLED_RefusesTheAttachThatDoesNotFit) {
  Client client = rig().connect("first");
  Client other = rig().connect("second");
  auto first = client.attach_producer({.stream_id = Rig::stream});
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(eventually([&] { return rig().driver_status().jobs_pending == 0; }));
  const auto before = listing();
  const auto refused = other.attach_producer({.stream_id = Rig::other_stream});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  const std::string& message = refused.error().message;
  // The ring (64 + 16 * 256 bytes) and the pool, in pages.
  const std::string needed = std::to_string(8192 + slots * stride + 4096);
  for (const std::string& part :
       {"needs " + needed + " bytes in " + rig().base_dir(), std::string("bytes are free"),
        std::string("the file system"), std::string("header_nslots"), std::string("shm.base_dir")}) {
    EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks " << part;
  }
  const auto after = listing();  // a dead epoch may be gone, in the search for space
  EXPECT_TRUE(std::includes(before.begin(), before.end(), after.begin(), after.end())) << "something half-made is left";
  EXPECT_EQ(rig().driver_status().leases.size(), 1U);
  EXPECT_TRUE(is_committed(publish_pattern(*first, stride))) << "the refusal disturbed the one that fits";

  { auto gone = std::move(*first); }  // its idle epoch takes next to nothing
  EXPECT_TRUE(eventually([&] { return other.attach_producer({.stream_id = Rig::other_stream}).has_value(); }))
      << "space was freed, but the attach is still refused";
}

TEST_F(FullDiskInside, DISABLED_ThatFillsLaterHarmsNobodyAttached) {
  ASSERT_EQ(::mount("tmpfs", rig().base_dir().c_str(), "tmpfs", MS_REMOUNT, "size=40m"), 0) << std::strerror(errno);
  Client client = rig().connect("both");
  auto producer = client.attach_producer({.stream_id = Rig::stream});
  auto consumer = client.attach_consumer({.stream_id = Rig::stream});
  ASSERT_TRUE(producer && consumer);
  const std::string filler = fill();
  std::uint64_t delivered = 0;
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(is_committed(publish_pattern(*producer, stride)));
    consumer->poll([&](const Frame&) { ++delivered; });
    return delivered > 3 * slots;
  }));
  EXPECT_EQ(consumer->stats().lost_total(), 0U);
  const auto refused = client.attach_producer({.stream_id = Rig::other_stream});
  EXPECT_FALSE(refused);
  fs::remove(filler);
  EXPECT_TRUE(eventually([&] { return client.attach_producer({.stream_id = Rig::other_stream}).has_value(); }))
      << "space was freed, but the attach is still refused";
}

// Who comes after one that was killed: it alone can make room. It says what does not fit, and serves when there is
// some.
TEST_F(FullDiskInside, DISABLED_KeepsNoDriverFromStarting) {
  rig().stop_driver();
  const std::string filler = fill();
  rig().start_driver();
  Client client = rig().connect("patient");
  const auto refused = client.attach_producer({.stream_id = Rig::stream});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("bytes are free"), std::string::npos) << refused.error().message;
  fs::remove(filler);
  EXPECT_TRUE(eventually([&] { return client.attach_producer({.stream_id = Rig::stream}).has_value(); }))
      << "space was freed, but the attach is still refused";
}

TEST(FullDiskInsideTransport, DISABLED_IsSaidWhereTheMediaDriversLogDoesNotFit) {
  const TempDir dir;
  ASSERT_EQ(::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=100m"), 0) << std::strerror(errno);
  {
    const std::string aeron_dir = dir.path() + "/aeron";
    const auto driver = transport::EmbeddedMediaDriver::start({.aeron_dir = aeron_dir});
    ASSERT_TRUE(driver) << driver.error().message;
    auto connection = transport::Connection::open({.aeron_dir = aeron_dir});
    ASSERT_TRUE(connection) << connection.error().message;
    const auto publication = connection->add_publication("aeron:ipc?term-length=64m|sparse=false", 1);
    ASSERT_FALSE(publication);
    EXPECT_EQ(publication.error().code, ErrorCode::no_space) << publication.error().message;
    EXPECT_TRUE(connection->add_publication("aeron:ipc?term-length=64k|sparse=false", 1)) << "the driver goes on";
  }
  ::umount2(dir.path().c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace tensorpool
