// What a client sees of the driver when memory or disk is short. spec: reliability F1
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>

#include "roles/driver/driver_fixture.hpp"

namespace tensorpool::driver {
namespace {

using protocol::ResponseCode;
using protocol::Role;
using protocol::ShmAttachResponse;
using protocol::ShmDriverShutdown;
using protocol::ShmPoolAnnounce;

// The kernel, with a disk that can be full, memory that can be locked, or not, and whatever pages and control groups a
// test wants; it writes down how much is asked of it at a time.
class FullDisk : public shm::SystemCalls {
 public:
  int reserve(int fd, std::uint64_t offset, std::uint64_t length) override {
    if (failures > 0) {
      --failures;
      errno = ENOSPC;
      return -1;
    }
    largest_piece = std::max(largest_piece, length);
    reserved += length;
    return pretends ? 0 : SystemCalls::reserve(fd, offset, length);
  }
  int populate(void* address, std::size_t length) override {
    largest_piece = std::max<std::uint64_t>(largest_piece, length);
    populated += length;
    return pretends ? 0 : SystemCalls::populate(address, length);
  }
  int unmap(void* address, std::size_t length) override {
    largest_unmapped = std::max(largest_unmapped, length);
    return SystemCalls::unmap(address, length);
  }
  int lock(void*, std::size_t length) override {
    largest_piece = std::max<std::uint64_t>(largest_piece, length);
    errno = lock_error;
    return lock_error == 0 ? 0 : -1;
  }
  int file_system_of(int fd, struct statfs* out) override { return pretend(SystemCalls::file_system_of(fd, out), out); }
  int file_system_of_path(const char* path, struct statfs* out) override {
    return pretend(SystemCalls::file_system_of_path(path, out), out);
  }
  std::optional<std::string> read_text(const char* path) override {
    if (const auto found = texts.find(path); found != texts.end()) {
      return found->second;
    }
    return texts.empty() ? SystemCalls::read_text(path) : std::nullopt;
  }
  int pretend(int result, struct statfs* out) const {
    if (file_system_type != 0) {
      out->f_type = static_cast<decltype(out->f_type)>(file_system_type);
    }
    if (huge_page_bytes != 0) {
      out->f_type = static_cast<decltype(out->f_type)>(shm::hugetlbfs_type);
      out->f_bsize = huge_page_bytes;
    }
    return result;
  }

  int failures = 0;
  int lock_error = 0;
  bool pretends = false;  // to reserve and to populate
  std::uint64_t largest_piece = 0;
  std::uint64_t reserved = 0;
  std::uint64_t populated = 0;
  std::size_t largest_unmapped = 0;
  decltype(std::declval<struct statfs>().f_bsize) huge_page_bytes = 0;
  std::uint64_t file_system_type = 0;        // 0: the kernel's
  std::map<std::string, std::string> texts;  // of /proc and /sys; empty: the kernel's
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

// spec: behaviour, provisioning: bounded steps off the lease path
TEST_F(DriverSpace, AnswersEveryKeepaliveInItsCycleWhileItPrefaultsAndLocksSixteenGigabytes) {
  config.policies.mlock_shm = true;
  config.profiles.push_back({"huge", 1024, 256, 8, {{1, 16U << 20}}});
  config.streams[1].profile = "huge";
  disk.pretends = true;
  start();
  Peer& client = peer();
  const ShmAttachResponse held = attach(client, 1, 10, Role::producer);
  disk.populated = 0;
  client.say(request(2, 11, Role::producer));
  const std::uint64_t before = driver->status().counts.keepalives;
  std::uint64_t cycles = 0;
  for (; driver->status().jobs_pending > 0 || cycles == 0; ++cycles) {
    client.say(keepalive(held, 10, Role::producer));
    cycle();
    ASSERT_EQ(driver->status().counts.keepalives - before, cycles + 1) << "a keepalive had to wait";
    ASSERT_LT(cycles, 100'000U);
  }
  EXPECT_EQ(client.last<ShmAttachResponse>().stream_id, 2U);
  EXPECT_GE(disk.populated, std::uint64_t{16} << 30);
  EXPECT_LE(disk.largest_piece, std::uint64_t{8} << 20);
}

TEST_F(DriverSpace, KeepsNoMemoryForAStreamWithoutAProducer) {
  const auto taken = [this] {
    std::uint64_t bytes = 0;
    for (const auto& file : std::filesystem::recursive_directory_iterator(stream_dir(1))) {
      struct stat info {};
      const bool is_file = ::stat(file.path().c_str(), &info) == 0 && S_ISREG(info.st_mode);
      bytes += is_file ? static_cast<std::uint64_t>(info.st_blocks) * 512 : 0;
    }
    return bytes;
  };
  config.policies.epoch_gc_keep = 1;
  config.policies.epoch_gc_min_age_ns = 0;
  start();
  const std::uint64_t idle = idle_epoch_bytes(config.profiles[0], 4096);
  EXPECT_LE(taken(), idle);
  Peer& client = peer();
  const ShmAttachResponse granted = attach(client, 1, 10, Role::producer);
  EXPECT_GE(taken(), epoch_bytes(config.profiles[0], 4096));
  EXPECT_EQ(driver->status().streams[0].bytes_reserved, epoch_bytes(config.profiles[0], 4096));
  client.say(detach(granted, 10, Role::producer));
  advance(2000 * ms);
  EXPECT_LE(taken(), idle);
  EXPECT_EQ(driver->status().streams[0].bytes_reserved, idle);
}

// Beyond a control group's limit the kernel kills instead of refusing.
TEST_F(DriverSpace, RefusesWhatTheControlGroupWouldKillItFor) {
  space = nullptr;  // asks the system calls
  disk.file_system_type = shm::tmpfs_type;
  const std::string v1 = "/sys/fs/cgroup/memory";
  const std::string v2 = "/sys/fs/cgroup";
  struct Group {
    std::string line;
    std::string limit;
    std::string usage;
  };
  for (const Group& group :
       {Group{"0::/pod/camera\n", v2 + "/pod/memory.max", v2 + "/pod/memory.current"},
        Group{"4:memory:/pod/camera\n", v1 + "/pod/memory.limit_in_bytes", v1 + "/pod/memory.usage_in_bytes"}}) {
    disk.texts = {{"/proc/self/cgroup", group.line},
                  {"/proc/meminfo", "MemAvailable: 99999999 kB\n"},
                  {group.limit, "100000000\n"},
                  {group.usage, "50000000\n"}};
    start();
    disk.texts[group.usage] = "99900000\n";
    const ShmAttachResponse refused = attach(peer(), 1, 10, Role::producer);
    EXPECT_EQ(refused.code, ResponseCode::internal_error);
    for (const char* words : {"569344 bytes", "100000 bytes are free", "the cgroup's memory limit", "header_nslots"}) {
      EXPECT_NE(refused.error_message.find(words), std::string::npos) << refused.error_message;
    }
    EXPECT_TRUE(driver->status().leases.empty());
    driver.reset();
  }
}

// spec: driver §10 (hugepages): verified, rounded up, and said in every URI
TEST_F(DriverSpace, GrantsHugePagesThatItHasAndRoundsEveryFileUpToThem) {
  disk.huge_page_bytes = 2 << 20;
  config.shm.require_hugepages = true;
  start();
  Peer& client = peer();
  auto wish = request(1, 10, Role::producer);
  wish.require_hugepages = protocol::HugepagesPolicy::hugepages;
  const ShmAttachResponse granted = attach(client, wish);
  ASSERT_EQ(granted.code, ResponseCode::ok) << granted.error_message;
  std::vector<std::string> uris{granted.header_region_uri};
  for (const auto& pool : granted.payload_pools) {
    uris.push_back(pool.region_uri);
  }
  ASSERT_EQ(uris.size(), 3U);
  for (const std::string& uri : uris) {
    EXPECT_NE(uri.find("|require_hugepages=true"), std::string::npos) << uri;
    const std::string path = uri.substr(uri.find('=') + 1, uri.find('|') - uri.find('=') - 1);
    EXPECT_EQ(std::filesystem::file_size(path), 2U << 20) << path;
  }
  EXPECT_EQ(driver->status().streams[0].bytes_reserved, 6U << 20);
  EXPECT_TRUE(logged("stream 1 (cam1) takes 6.00 MiB")) << "the footprint is reckoned in huge pages";

  auto standard = request(2, 11, Role::producer);
  standard.require_hugepages = protocol::HugepagesPolicy::standard;
  EXPECT_EQ(attach(client, standard).error_message, "standard pages not available: shm.base_dir is on hugetlbfs");
  standard = request(2, 12, Role::producer);
  standard.require_hugepages = protocol::HugepagesPolicy::unspecified;
  EXPECT_EQ(attach(client, standard).code, ResponseCode::ok);
}

// statvfs says nothing on hugetlbfs; reserving does.
TEST_F(DriverSpace, SaysThatTheHugePagesAreUsedUpAndTakesNoOtherPagesInstead) {
  disk.huge_page_bytes = 2 << 20;
  config.shm.require_hugepages = true;
  space = nullptr;
  start();
  disk.failures = 1000;
  auto wish = request(1, 10, Role::producer);
  wish.require_hugepages = protocol::HugepagesPolicy::hugepages;
  const ShmAttachResponse refused = attach(peer(), wish);
  EXPECT_EQ(refused.code, ResponseCode::internal_error);
  for (const char* words : {"no space", "6291456 bytes", "vm.nr_hugepages"}) {
    EXPECT_NE(refused.error_message.find(words), std::string::npos) << refused.error_message;
  }
}

TEST_F(DriverSpace, RefusesToStartWithoutTheHugePagesItRequires) {
  config.shm.require_hugepages = true;
  const auto created = Driver::create(config, deps());
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, ErrorCode::invalid_config);
  for (const char* words : {"shm.require_hugepages is true", "not on hugetlbfs", "require_hugepages = false"}) {
    EXPECT_NE(created.error().message.find(words), std::string::npos) << created.error().message;
  }
  config.shm.require_hugepages = false;
  start();
  auto wish = request(1, 10, Role::producer);
  wish.require_hugepages = protocol::HugepagesPolicy::hugepages;
  EXPECT_EQ(attach(peer(), wish).error_message, "hugepages not available: shm.base_dir is not on hugetlbfs");
}

class TwoSizes : public DriverSpace {
 protected:
  TwoSizes() {
    config.profiles.push_back({"huge", 1024, 256, 8, {{1, 16U << 20}}});  // 16 GiB, 4,000 steps
    config.streams[1].profile = "huge";
    disk.pretends = true;
  }
  int cycles_until_answered(Peer& client, std::uint32_t stream, int limit) {
    for (int cycles = 0; cycles < limit; ++cycles) {
      for (const auto& answer : client.every<ShmAttachResponse>()) {
        if (answer.stream_id == stream) {
          return cycles;
        }
      }
      cycle();
    }
    return limit;
  }
};

TEST_F(TwoSizes, ASmallStreamDoesNotWaitBehindALargeOne) {
  start();
  Peer& client = peer();
  client.say(request(2, 11, Role::producer));
  for (int i = 0; i < 100; ++i) {
    cycle();
  }
  client.say(request(1, 10, Role::producer));
  EXPECT_LT(cycles_until_answered(client, 1, 10'000), 50);
  EXPECT_EQ(driver->status().jobs_pending, 1U) << "the large one is still being made";
  EXPECT_LT(cycles_until_answered(client, 2, 10'000), 10'000);
}

TEST_F(TwoSizes, ALargeStreamIsMadeThoughASmallOneIsWantedAgainAndAgain) {
  start();
  Peer& client = peer();
  client.say(request(2, 11, Role::producer));
  client.say(request(1, 10, Role::producer));
  int lives = 0;
  int cycles = 0;
  for (bool made = false; !made && cycles < 50'000; ++cycles) {
    cycle();
    for (const auto& answer : client.every<ShmAttachResponse>()) {
      EXPECT_EQ(answer.code, ResponseCode::ok) << answer.error_message;
      made = made || answer.stream_id == 2U;
      if (answer.stream_id == 1U) {
        client.say(detach(answer, 10, Role::producer));
        client.say(request(1, 10, Role::producer));
        ++lives;
      }
    }
    client.all.clear();
  }
  EXPECT_LT(cycles, 50'000);
  EXPECT_GT(lives, 10);
}

// What the large one has still to take looks free, and is not.
TEST_F(TwoSizes, WhatIsPromisedToOneIsNotPromisedToAnother) {
  std::uint64_t budget = std::uint64_t{1} << 50;
  space = [&](const std::string&) -> Result<shm::Space> {
    return shm::Space{budget - disk.reserved, std::nullopt, std::nullopt};
  };
  start();
  Peer& client = peer();
  budget = disk.reserved + epoch_bytes(config.profiles[1], 4096) + idle_epoch_bytes(config.profiles[0], 4096);
  client.say(request(2, 11, Role::producer));
  for (int i = 0; i < 100; ++i) {
    cycle();
  }
  client.say(request(1, 10, Role::producer));
  for (int i = 0; i < 100; ++i) {
    cycle();
  }
  advance(1100 * ms);
  const auto answers = client.every<ShmAttachResponse>();
  ASSERT_EQ(answers.size(), 2U);
  const auto& refused = answers[0].code == ResponseCode::ok ? answers[1] : answers[0];
  EXPECT_NE(refused.error_message.find("stream 1 (producer attach) needs"), std::string::npos) << refused.error_message;
  EXPECT_EQ(answers[answers[0].code == ResponseCode::ok ? 0 : 1].stream_id, 2U);
}

// As a step of 16 GiB would, to let go of them holds up everybody's keepalives.
TEST_F(TwoSizes, LetsGoOfLockedMemoryInPieces) {
  config.policies.mlock_shm = true;
  start();
  Peer& client = peer();
  client.say(request(2, 11, Role::producer));
  ASSERT_LT(cycles_until_answered(client, 2, 20'000), 20'000);
  const auto granted = client.last<ShmAttachResponse>();
  disk.largest_unmapped = 0;
  client.say(detach(granted, 11, Role::producer));
  settle();
  EXPECT_LE(disk.largest_unmapped, std::uint64_t{16} << 20);
  EXPECT_EQ(disk.SystemCalls::read_text("/proc/self/maps")->find(stream_dir(2) + "/" + std::to_string(*granted.epoch)),
            std::string::npos);
}

}  // namespace
}  // namespace tensorpool::driver
