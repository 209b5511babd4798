// What a client sees of the driver when memory or disk is short. spec: reliability F1
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>

#include "roles/driver/driver_fixture.hpp"

namespace tensorpool::driver {
namespace {

using protocol::ResponseCode;
using protocol::Role;
using protocol::ShmAttachResponse;
using protocol::ShmDriverShutdown;
using protocol::ShmPoolAnnounce;

// The kernel, with a disk that can be full and memory that can be locked, or not.
class FullDisk : public shm::SystemCalls {
 public:
  int reserve(int fd, std::uint64_t offset, std::uint64_t length) override {
    if (failures > 0) {
      --failures;
      errno = ENOSPC;
      return -1;
    }
    return SystemCalls::reserve(fd, offset, length);
  }
  int lock(void*, std::size_t) override {
    errno = lock_error;
    return lock_error == 0 ? 0 : -1;
  }
  int failures = 0;
  int lock_error = 0;
};

class DriverSpace : public DriverFixture {
 protected:
  ~DriverSpace() override { driver.reset(); }  // before its disk
  shm::SystemCalls& calls() override { return disk; }

  FullDisk disk;
};

// spec: reliability F1
TEST_F(DriverSpace, RefusesAnAttachOnAFullDiskAndLeavesNothingHalfMade) {
  start();
  Peer& client = peer();
  advance(1000 * ms);
  const std::uint64_t epoch = client.every<ShmPoolAnnounce>()[0].epoch;
  const auto before = entries(stream_dir(1));
  disk.failures = 1000;
  const ShmAttachResponse refused = attach(client, 1, 10, Role::producer);
  EXPECT_EQ(refused.code, ResponseCode::internal_error);
  for (const char* words : {"no space", "569344 bytes", "free", "header_nslots"}) {
    EXPECT_NE(refused.error_message.find(words), std::string::npos) << refused.error_message;
  }
  EXPECT_EQ(entries(stream_dir(1)), before);
  EXPECT_TRUE(driver->status().leases.empty());

  disk.failures = 0;
  advance(2000 * ms);
  EXPECT_EQ(client.last<ShmPoolAnnounce>().stream_id, 2U) << "announces go on";
  EXPECT_EQ(client.every<ShmPoolAnnounce>()[client.every<ShmPoolAnnounce>().size() - 2].epoch, epoch);
  EXPECT_EQ(attach(client, 1, 10, Role::producer).code, ResponseCode::ok);
}

TEST_F(DriverSpace, TriesOnceMoreAfterCollectingWhenTheDiskWasFullerThanItSaid) {
  start();
  Peer& client = peer();
  disk.failures = 1;
  EXPECT_EQ(attach(client, 1, 10, Role::producer).code, ResponseCode::ok);
}

TEST_F(DriverSpace, SaysBytesNeededAndFreeAndWhatToChange) {
  std::uint64_t free = std::uint64_t{1} << 30;
  space = [&free](const std::string&) -> Result<shm::Space> { return shm::Space{free, std::nullopt, std::nullopt}; };
  start();
  free = 20'000;
  const ShmAttachResponse refused = attach(peer(), 1, 10, Role::producer);
  EXPECT_EQ(refused.code, ResponseCode::internal_error);
  for (const char* words : {"20000", "header_nslots"}) {
    EXPECT_NE(refused.error_message.find(words), std::string::npos) << refused.error_message;
  }
}

TEST_F(DriverSpace, NeedsNoSecondCopyOfTheMemoryForARestartedCamera) {
  // Free is what the epochs on disk leave of a budget for one camera and the idle rings.
  std::uint64_t budget = epoch_bytes(config.profiles[0], 4096) + 12 * idle_epoch_bytes(config.profiles[0], 4096);
  space = [&](const std::string&) -> Result<shm::Space> {
    std::uint64_t used = 0;
    for (const std::uint32_t stream : {1U, 2U}) {
      for (const auto& epoch : entries(stream_dir(stream))) {
        for (const auto& file : std::filesystem::directory_iterator(stream_dir(stream) + "/" + epoch)) {
          struct stat info {};
          used += ::stat(file.path().c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_blocks) * 512 : 0;
        }
      }
    }
    return shm::Space{used > budget ? 0 : budget - used, std::nullopt, std::nullopt};
  };
  start();
  Peer& client = peer();
  for (std::uint32_t life = 0; life < 5; ++life) {
    const ShmAttachResponse granted = attach(client, 1, 10 + life, Role::producer);
    ASSERT_EQ(granted.code, ResponseCode::ok) << life << ": " << granted.error_message;
    client.say(detach(granted, 10 + life, Role::producer));
    settle();
  }
}

TEST_F(DriverSpace, ComesBackToAStreamThatItCouldNotProvisionAtTheStart) {
  disk.failures = 1000;
  start();
  Peer& client = peer();
  advance(1000 * ms);
  EXPECT_TRUE(client.every<ShmPoolAnnounce>().empty());
  EXPECT_EQ(attach(client, 1, 10, Role::consumer).code, ResponseCode::internal_error);
  disk.failures = 0;
  advance(1100 * ms);
  EXPECT_GE(client.every<ShmPoolAnnounce>().size(), 2U);
}

TEST_F(DriverSpace, ServesKeepalivesWhileItReservesMuch) {
  config.profiles.push_back({"large", 8, 256, 8, {{1, 8U << 20}}});
  config.streams[1].profile = "large";
  start();
  Peer& client = peer();
  const ShmAttachResponse held = attach(client, 1, 10, Role::producer);
  client.say(request(2, 11, Role::producer));
  const std::uint64_t before = driver->status().counts.keepalives;
  int cycles = 0;
  for (; driver->status().leases.size() < 2 && cycles < 1000; ++cycles) {
    client.say(keepalive(held, 10, Role::producer));
    cycle();
  }
  EXPECT_GT(cycles, 8) << "not all at once";
  EXPECT_GE(driver->status().counts.keepalives - before, 8U);
}

// An epoch is taken back when its producer cannot be told of it; whoever waited for the same epoch gets another.
TEST_F(DriverSpace, GivesAConsumerNoEpochWhoseProducerCouldNotBeAnswered) {
  disk.failures = 1000;
  start();
  disk.failures = 0;
  Peer& client = peer();
  const auto camera = request(1, 10, Role::producer);
  const auto viewer = request(1, 11, Role::consumer);
  client.say(camera);
  client.say(viewer);
  cycle();
  transport::loopback::force_offer_result(bus, 1000, transport::OfferResult::error, 1);
  settle();
  const auto answers = client.every<ShmAttachResponse>();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].correlation_id, camera.correlation_id);
  EXPECT_EQ(answers[0].code, ResponseCode::internal_error);
  EXPECT_EQ(answers[1].correlation_id, viewer.correlation_id);
  ASSERT_EQ(answers[1].code, ResponseCode::ok) << answers[1].error_message;
  EXPECT_EQ(answers[1].epoch, client.last<ShmPoolAnnounce>().epoch);
  EXPECT_EQ(client.last<ShmPoolAnnounce>().producer_id, 0U);
}

TEST_F(DriverSpace, LocksNoMemoryForAnEpochThatIsDead) {
  config.policies.mlock_shm = true;
  start();
  Peer& client = peer();
  const ShmAttachResponse granted = attach(client, 1, 10, Role::producer);
  ASSERT_EQ(granted.code, ResponseCode::ok) << granted.error_message;
  EXPECT_NE(disk.read_text("/proc/self/maps")->find(stream_dir(1)), std::string::npos);
  disk.failures = 1000;  // not even the idle epoch fits beside it
  client.say(detach(granted, 10, Role::producer));
  settle();
  EXPECT_EQ(disk.read_text("/proc/self/maps")->find(stream_dir(1)), std::string::npos);
}

// spec: driver §16 (policies.mlock_shm)
TEST_F(DriverSpace, EndsWithAnErrorWhenItCannotLockWhatItWasToldToLock) {
  config.policies.mlock_shm = true;
  start();
  Peer& client = peer();
  disk.lock_error = ENOMEM;
  const ShmAttachResponse refused = attach(client, 1, 10, Role::producer);
  EXPECT_EQ(refused.code, ResponseCode::internal_error);
  for (const char* words : {"cannot lock", "ulimit -l", "policies.mlock_shm"}) {
    EXPECT_NE(refused.error_message.find(words), std::string::npos) << refused.error_message;
  }
  advance(3000 * ms);
  EXPECT_TRUE(driver->finished());
  EXPECT_EQ(client.last<ShmDriverShutdown>().reason, protocol::ShutdownReason::error);
  ASSERT_TRUE(driver->failure());
  EXPECT_NE(driver->failure()->message.find("mlock_shm makes that fatal"), std::string::npos);
  EXPECT_TRUE(logged("mlock_shm makes that fatal"));
}

TEST_F(DriverSpace, GivesAConsumerItsIdleEpochThoughTheProducersDoesNotFit) {
  std::uint64_t free = 0;
  space = [&free](const std::string&) -> Result<shm::Space> { return shm::Space{free, std::nullopt, std::nullopt}; };
  start();
  free = idle_epoch_bytes(config.profiles[0], 4096);
  Peer& client = peer();
  const auto camera = request(1, 10, Role::producer);
  const auto viewer = request(1, 11, Role::consumer);
  client.say(camera);
  client.say(viewer);
  settle();
  const auto answers = client.every<ShmAttachResponse>();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].correlation_id, camera.correlation_id);
  EXPECT_EQ(answers[0].code, ResponseCode::internal_error);
  EXPECT_EQ(answers[1].correlation_id, viewer.correlation_id);
  EXPECT_EQ(answers[1].code, ResponseCode::ok) << answers[1].error_message;
}

TEST_F(DriverSpace, LooksForSpaceNowAndThenAndRestsBetween) {
  int looks = 0;
  std::uint64_t free = std::uint64_t{1} << 30;
  space = [&](const std::string&) -> Result<shm::Space> {
    ++looks;
    return shm::Space{free, std::nullopt, std::nullopt};
  };
  start();
  Peer& client = peer();
  client.say(detach(attach(client, 1, 10, Role::producer), 10, Role::producer));
  settle();
  free = 0;
  client.say(request(1, 11, Role::producer));
  settle();  // the dead epochs are removed; now their readers are given time
  ASSERT_EQ(driver->status().jobs_pending, 1U);
  looks = 0;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(cycle(), 0);
  }
  EXPECT_EQ(looks, 0);
  now += 20 * ms;
  cycle();
  EXPECT_EQ(looks, 1);
  advance(1100 * ms);
  EXPECT_EQ(client.last<ShmAttachResponse>().code, ResponseCode::internal_error);
}

}  // namespace
}  // namespace tensorpool::driver
