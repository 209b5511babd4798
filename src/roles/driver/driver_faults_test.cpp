// What a client sees of the driver when something goes wrong. spec: reliability §3
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <random>

#include "roles/driver/driver_fixture.hpp"

namespace tensorpool::driver {
namespace {

using protocol::ResponseCode;
using protocol::Role;
using protocol::ShmAttachResponse;
using protocol::ShmDriverShutdown;
using protocol::ShmLeaseRevoked;
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

class DriverFaults : public DriverFixture {
 protected:
  ~DriverFaults() override { driver.reset(); }  // before its disk
  shm::SystemCalls& calls() override { return disk; }

  template <class Message>
  static std::vector<std::byte> encoded(const Message& message) {
    std::vector<std::byte> bytes(protocol::encoded_length(message));
    EXPECT_EQ(protocol::encode(message, bytes), bytes.size());
    return bytes;
  }
  FullDisk disk;
};

// spec: reliability W1
TEST_F(DriverFaults, GrantsNoLeaseToARequestCutAtAnyLength) {
  start();
  Peer& client = peer();
  const auto whole = encoded(request(1, 10, Role::producer));
  for (std::size_t length = 1; length < whole.size(); ++length) {
    client.say_bytes({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
  }
  settle();
  EXPECT_TRUE(client.every<ShmAttachResponse>().empty());
  EXPECT_TRUE(driver->status().leases.empty());
  EXPECT_EQ(driver->status().jobs_pending, 0U);
  EXPECT_EQ(driver->status().counts.malformed, whole.size() - 1);
  EXPECT_TRUE(logged("malformed"));
}

TEST_F(DriverFaults, SurvivesEveryControlMessageCutAndStretchedAndFilledWithNoise) {
  start();
  Peer& client = peer();
  const ShmAttachResponse held = attach(client, 2, 99, Role::producer);
  std::mt19937 random(20240607);
  protocol::ConsumerHello hello;
  hello.descriptor_channel = "aeron:ipc";
  const std::vector<std::vector<std::byte>> originals{
      encoded(request(1, 10, Role::producer)), encoded(detach(held, 98, Role::producer)),
      encoded(keepalive(held, 98, Role::producer)), encoded(hello),
      encoded(protocol::ShmDriverShutdownRequest{1, protocol::ShutdownReason::admin, "token", "text"})};
  for (int round = 0; round < 2000; ++round) {
    auto bytes = originals[random() % originals.size()];
    bytes.resize(1 + random() % (bytes.size() + 8));
    for (unsigned flips = random() % 4; flips > 0 && bytes.size() > 8; --flips) {
      bytes[8 + random() % (bytes.size() - 8)] = static_cast<std::byte>(random());
    }
    client.say_bytes(bytes);
    if (round % 50 == 0) {
      settle();
    }
  }
  settle();
  const DriverStatus status = driver->status();
  EXPECT_GT(status.counts.malformed, 0U);
  EXPECT_EQ(status.streams[1].producer_id, 99U) << "the lease of an honest client stands";
  EXPECT_EQ(status.state, DriverState::running);
}

TEST_F(DriverFaults, BelievesNoLengthField) {
  start();
  Peer& client = peer();
  auto bytes = encoded(protocol::ShmDriverShutdownRequest{1, protocol::ShutdownReason::admin, "token", "text"});
  bytes[8 + 9 + 3] = std::byte{0x7F};  // the token's length becomes 2 GiB
  client.say_bytes(bytes);
  settle();
  EXPECT_EQ(driver->status().counts.malformed, 1U);
  EXPECT_EQ(driver->status().malformed_by_fault[static_cast<std::size_t>(protocol::DecodeFault::bad_length)], 1U);
}

// spec: driver §4.4a
TEST_F(DriverFaults, AnswersUnsupportedToANewerSchema) {
  start();
  Peer& client = peer();
  const auto wish = request(1, 10, Role::producer);
  auto bytes = encoded(wish);
  bytes[6] = std::byte{2};  // the header's version
  client.say_bytes(bytes);
  settle();
  const auto answer = client.last<ShmAttachResponse>();
  EXPECT_EQ(answer.code, ResponseCode::unsupported);
  EXPECT_EQ(answer.correlation_id, wish.correlation_id);
  EXPECT_TRUE(driver->status().leases.empty());
}

TEST_F(DriverFaults, AnswersARepeatedRequestOncePerEpochItMade) {
  start();
  Peer& client = peer();
  const auto wish = request(1, 10, Role::producer);
  const std::uint64_t made = driver->status().counts.epochs_made;
  for (int i = 0; i < 5; ++i) {
    client.say(wish);
  }
  settle();
  EXPECT_EQ(client.every<ShmAttachResponse>().size(), 1U);
  client.say(wish);
  settle();
  const auto answers = client.every<ShmAttachResponse>();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_EQ(driver->status().counts.epochs_made, made + 1);
  EXPECT_EQ(driver->status().leases.size(), 1U);
}

// spec: reliability W3
TEST_F(DriverFaults, IgnoresAForgedKeepalive) {
  start();
  Peer& client = peer();
  const ShmAttachResponse held = attach(client, 1, 10, Role::producer);
  for (int i = 0; i < 5; ++i) {
    client.say(keepalive(held, 11, Role::producer));
    client.say(keepalive(held, 10, Role::consumer));
    advance(1000 * ms);
  }
  const auto revoked = client.every<ShmLeaseRevoked>();
  ASSERT_FALSE(revoked.empty());
  EXPECT_EQ(revoked[0].lease_id, held.lease_id);
  EXPECT_EQ(revoked[0].reason, protocol::LeaseRevokeReason::expired);
}

// spec: reliability F1
TEST_F(DriverFaults, RefusesAnAttachOnAFullDiskAndLeavesNothingHalfMade) {
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

TEST_F(DriverFaults, TriesOnceMoreAfterCollectingWhenTheDiskWasFullerThanItSaid) {
  start();
  Peer& client = peer();
  disk.failures = 1;
  EXPECT_EQ(attach(client, 1, 10, Role::producer).code, ResponseCode::ok);
}

TEST_F(DriverFaults, SaysBytesNeededAndFreeAndWhatToChange) {
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

TEST_F(DriverFaults, NeedsNoSecondCopyOfTheMemoryForARestartedCamera) {
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

TEST_F(DriverFaults, ComesBackToAStreamThatItCouldNotProvisionAtTheStart) {
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

TEST_F(DriverFaults, ServesKeepalivesWhileItReservesMuch) {
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

// spec: reliability D1
TEST_F(DriverFaults, RemovesWhatAKilledDriverLeftHalfMade) {
  start();
  driver.reset();
  const std::string left = stream_dir(1) + "/.making-1234";
  std::filesystem::create_directory(left);
  std::filesystem::create_directory(left + "x");
  start();
  for (const auto& name : entries(stream_dir(1))) {
    EXPECT_NE(name.front(), '.') << name;
  }
}

TEST_F(DriverFaults, CollectsOldEpochsButNeverTheCurrentOne) {
  config.policies.epoch_gc_min_age_ns = 0;
  start();
  Peer& client = peer();
  for (std::uint32_t life = 0; life < 4; ++life) {
    const ShmAttachResponse granted = attach(client, 1, 10 + life, Role::producer);
    client.say(detach(granted, 10 + life, Role::producer));
    settle();
  }
  const ShmAttachResponse held = attach(client, 1, 50, Role::producer);
  EXPECT_EQ(entries(stream_dir(1)).size(), 10U);
  for (int i = 0; i < 4; ++i) {
    client.say(keepalive(held, 50, Role::producer));
    advance(1000 * ms);
  }
  const auto left = entries(stream_dir(1));
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[1], std::to_string(*held.epoch));
  EXPECT_EQ(driver->status().counts.epochs_collected, 8U);
}

TEST_F(DriverFaults, NeverFollowsALinkWhenItCollects) {
  config.policies.epoch_gc_on_startup = true;
  start();
  driver.reset();
  TempDir precious("tp-precious");
  std::filesystem::create_directory(precious.path() + "/keep");
  std::filesystem::create_directory_symlink(precious.path(), stream_dir(1) + "/12345");
  start();
  advance(5000 * ms);
  EXPECT_TRUE(std::filesystem::exists(precious.path() + "/keep"));
}

TEST_F(DriverFaults, DiscardsWhatAFormerLifeWasAsked) {
  auto created = Driver::create(config, deps());
  ASSERT_TRUE(created);
  driver = std::move(*created);
  Peer& client = peer();
  settle();
  client.say(request(1, 10, Role::producer));
  advance(100 * ms);
  EXPECT_TRUE(client.every<ShmAttachResponse>().empty());
  EXPECT_EQ(driver->status().counts.discarded_at_start, 1U);
  advance(100 * ms);
  EXPECT_EQ(attach(client, 1, 10, Role::producer).code, ResponseCode::ok);
}

// spec: reliability D2
TEST_F(DriverFaults, ExpiresNobodyForKeepalivesThatWaitedWhileItWasStopped) {
  start();
  Peer& client = peer();
  const ShmAttachResponse lively = attach(client, 1, 10, Role::producer);
  const ShmAttachResponse dead = attach(client, 2, 11, Role::producer);
  client.say(keepalive(lively, 10, Role::producer));
  now += 5000 * ms;
  settle();
  EXPECT_TRUE(client.every<ShmLeaseRevoked>().empty());
  for (int i = 0; i < 3; ++i) {
    client.say(keepalive(lively, 10, Role::producer));
    advance(1000 * ms);
  }
  ASSERT_EQ(client.every<ShmLeaseRevoked>().size(), 1U);
  EXPECT_EQ(client.last<ShmLeaseRevoked>().lease_id, dead.lease_id);
}

// spec: reliability M1
TEST_F(DriverFaults, KeepsLeasesAndEpochsOverALostMediaDriver) {
  start();
  const ShmAttachResponse held = attach(peer(), 1, 10, Role::producer);
  transport::loopback::kill_media_driver(bus);
  settle();
  EXPECT_EQ(driver->status().state, DriverState::disconnected);
  advance(10 * nanos_per_second);
  transport::loopback::start_media_driver(bus);
  advance(1500 * ms);
  EXPECT_EQ(driver->status().state, DriverState::running);
  EXPECT_EQ(driver->status().counts.reconnects, 1U);
  ASSERT_EQ(driver->status().leases.size(), 1U);
  Peer& back = peer();
  back.say(keepalive(held, 10, Role::producer));
  advance(1000 * ms);
  EXPECT_EQ(back.every<ShmPoolAnnounce>()[0].epoch, held.epoch);
  EXPECT_EQ(driver->status().leases.size(), 1U);
  EXPECT_EQ(driver->status().leases[0].keepalives, 1U);
  advance(3000 * ms);
  EXPECT_TRUE(driver->status().leases.empty()) << "silence counts again";
}

TEST_F(DriverFaults, RetriesAnAnswerThroughBackPressureAndGivesItUpInTime) {
  start();
  Peer& client = peer();
  transport::loopback::force_offer_result(bus, 1000, transport::OfferResult::ok, 1);
  client.say(request(1, 10, Role::consumer));
  transport::loopback::force_offer_result(bus, 1000, transport::OfferResult::back_pressured, 20);
  cycle();
  EXPECT_TRUE(client.every<ShmAttachResponse>().empty());
  settle();
  advance(500 * ms);
  EXPECT_EQ(client.every<ShmAttachResponse>().size(), 1U);

  client.say(request(1, 11, Role::consumer));
  transport::loopback::force_offer_result(bus, 1000, transport::OfferResult::back_pressured, 1'000'000);
  advance(1500 * ms);
  transport::loopback::force_offer_result(bus, 1000, transport::OfferResult::ok, 0);
  EXPECT_GE(driver->status().counts.unsent, 1U);
}

TEST_F(DriverFaults, KeepsServingThroughAFloodOfRequests) {
  config.limits.pending_attaches = 8;
  config.limits.remembered_answers = 16;
  start();
  Peer& client = peer();
  const ShmAttachResponse held = attach(client, 2, 7, Role::producer);
  for (std::uint32_t i = 0; i < 3000; ++i) {
    client.say(request(i % 3, 1000 + i, Role::producer));
    if (i % 100 == 0) {
      client.say(keepalive(held, 7, Role::producer));
      cycle();
    }
  }
  settle();
  const DriverStatus status = driver->status();
  EXPECT_EQ(status.streams[1].producer_id, 7U);
  EXPECT_LE(status.leases.size(), 2U);
  EXPECT_EQ(status.counts.attaches + status.counts.refusals, 3001U);
}

TEST_F(DriverFaults, EndsInTimeThoughTheMediaDriverIsGone) {
  start();
  transport::loopback::kill_media_driver(bus);
  settle();
  driver->request_shutdown(protocol::ShutdownReason::normal);
  advance(3000 * ms);
  EXPECT_TRUE(driver->finished());
}

// An epoch is taken back when its producer cannot be told of it; whoever waited for the same epoch gets another.
TEST_F(DriverFaults, GivesAConsumerNoEpochWhoseProducerCouldNotBeAnswered) {
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

TEST_F(DriverFaults, RefusesWhoStillWaitsAtTheEndBecauseItGoesAndNotAsAFailure) {
  config.policies.shutdown_timeout_ms = 0;
  config.profiles[0].payload_pools.push_back({3, 8U << 20});
  start();
  Peer& client = peer();
  client.say(request(1, 10, Role::producer));
  cycle();
  ASSERT_EQ(driver->status().jobs_pending, 1U);
  driver->request_shutdown(protocol::ShutdownReason::normal);
  settle();
  EXPECT_EQ(client.last<ShmAttachResponse>().code, ResponseCode::rejected);
  EXPECT_EQ(client.last<ShmAttachResponse>().error_message, "driver draining");
  EXPECT_TRUE(driver->finished());
}

TEST_F(DriverFaults, RepeatsToAClientWithoutALeaseWhatItMayHaveMissed) {
  start();
  Peer& client = peer();
  const ShmAttachResponse granted = attach(client, 1, 10, Role::consumer);
  driver.reset();
  start();
  client.all.clear();
  client.say(keepalive(granted, 10, Role::consumer));
  transport::loopback::drop_next(bus, 1000, 1);
  settle();
  EXPECT_TRUE(client.every<ShmLeaseRevoked>().empty());
  advance(1000 * ms);
  for (int i = 0; i < 3; ++i) {
    client.say(keepalive(granted, 10, Role::consumer));
    settle();
  }
  ASSERT_EQ(client.every<ShmLeaseRevoked>().size(), 1U) << "once an interval";
  EXPECT_EQ(client.last<ShmLeaseRevoked>().lease_id, granted.lease_id);
}

// spec: reliability W3
TEST_F(DriverFaults, AnswersAFloodOfUnknownLeasesABoundedNumberOfTimes) {
  start();
  Peer& client = peer();
  for (std::size_t interval = 1; interval <= 3; ++interval) {
    for (std::uint64_t forged = 1; forged <= 1000; ++forged) {
      client.say(protocol::ShmLeaseKeepalive{forged, 1, 10, Role::consumer, 0});
    }
    settle();
    EXPECT_EQ(client.every<ShmLeaseRevoked>().size(), 256 * interval);
    advance(1000 * ms);
  }
}

TEST_F(DriverFaults, LocksNoMemoryForAnEpochThatIsDead) {
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
TEST_F(DriverFaults, EndsWithAnErrorWhenItCannotLockWhatItWasToldToLock) {
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

TEST_F(DriverFaults, GivesAConsumerItsIdleEpochThoughTheProducersDoesNotFit) {
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

// What a producer writes of its own activity is foreign: no time at all is no sign of life.
TEST_F(DriverFaults, CollectsAnEpochWhoseActivityIsNoTime) {
  config.policies.epoch_gc_on_startup = true;
  start();
  const auto before = entries(stream_dir(1));
  driver.reset();
  ASSERT_EQ(before.size(), 1U);
  std::fstream ring(stream_dir(1) + "/" + before[0] + "/header.ring", std::ios::in | std::ios::out | std::ios::binary);
  ring.seekp(56);
  ring.write("\0\0\0\0\0\0\0\x80", 8);  // the most negative
  ring.close();
  ASSERT_TRUE(ring);
  start();
  const auto after = entries(stream_dir(1));
  EXPECT_EQ(std::count(after.begin(), after.end(), before[0]), 0);
}

TEST_F(DriverFaults, SaysNothingOfAnIdleEpochWhoseStreamMadeRoom) {
  config.policies.allow_dynamic_streams = true;
  config.driver.stream_id_range = StreamIdRange{20000, 20010};
  config.limits.dynamic_streams = 1;
  start();
  Peer& client = peer();
  auto wish = request(0, 10, Role::producer);
  wish.publish_mode = protocol::PublishMode::existing_or_create;
  const ShmAttachResponse first = attach(client, wish);
  wish = request(0, 11, Role::producer);
  wish.publish_mode = protocol::PublishMode::existing_or_create;
  client.say(detach(first, 10, Role::producer));
  client.say(wish);
  settle();
  EXPECT_EQ(client.last<ShmAttachResponse>().stream_id, 20001U);
  EXPECT_FALSE(logged("is gone"));
  EXPECT_EQ(driver->status().counts.provisioning_failures, 0U);
}

TEST_F(DriverFaults, LooksForSpaceNowAndThenAndRestsBetween) {
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
