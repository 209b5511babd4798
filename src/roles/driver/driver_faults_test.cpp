// What a client sees of the driver when it was killed or stopped, or lost its media driver. spec: reliability §3
#include <gtest/gtest.h>

#include <fstream>

#include "roles/driver/driver_fixture.hpp"
#include "transport/channel_uri.hpp"

namespace tensorpool::driver {
namespace {

using protocol::ResponseCode;
using protocol::Role;
using protocol::ShmAttachResponse;
using protocol::ShmLeaseRevoked;
using protocol::ShmPoolAnnounce;

using DriverFaults = DriverFixture;

// Whoever is stopped keeps his place in the control stream until the media driver gives him up, three seconds later.
// spec: reliability C1
TEST_F(DriverFaults, IsHeardByAllThoughOneListenerIsStopped) {
  for (std::uint32_t id = 100; id < 228; ++id) {
    config.streams.push_back({"more" + std::to_string(id), id, "camera"});
  }
  start();
  Peer& client = peer();
  transport::Connection stopped = transport::Connection::open(options_for(bus, "stopped")).value();
  const auto never_polled = stopped.add_subscription(transport::control_channel("aeron:ipc").value(), 1000).value();
  stopped.do_work();
  for (int seconds = 0; seconds < 3; ++seconds) {
    client.all.clear();
    advance(1000 * ms);
    stopped.do_work();
    EXPECT_GE(client.every<ShmPoolAnnounce>().size(), 130U) << "in second " << seconds;
  }
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

// logind's RemoveIPC does it, when the user logs out.
TEST_F(DriverFaults, MakesItsNamespaceAnewWhenSomebodyRemovedIt) {
  start();
  Peer& client = peer();
  const auto producer = attach(client, 1, 11, Role::producer);
  ASSERT_EQ(producer.code, ResponseCode::ok);
  const auto idle = attach(client, 2, 12, Role::consumer);
  ASSERT_EQ(idle.code, ResponseCode::ok);
  std::filesystem::remove_all(dir.path() + "/tensorpool-tester");
  advance(1100 * ms);
  EXPECT_TRUE(logged("was removed by somebody")) << testing::PrintToString(log);
  EXPECT_EQ(
      std::count_if(log.begin(), log.end(), [](const auto& line) { return line.find("removed by") != line.npos; }), 1);
  EXPECT_EQ(entries(stream_dir(2)).size(), 1U) << "an idle stream has an epoch again";
  const auto consumer = attach(client, 2, 13, Role::consumer);
  ASSERT_EQ(consumer.code, ResponseCode::ok) << consumer.error_message;
  EXPECT_GT(*consumer.epoch, *idle.epoch);
  EXPECT_TRUE(entries(stream_dir(1)).empty()) << "a producer keeps the epoch that it has mapped";
  EXPECT_EQ(driver->status().leases.size(), 3U);
  EXPECT_FALSE(Driver::create(config, deps())) << "the namespace is this driver's still";

  client.say(detach(producer, 11, Role::producer));
  settle();
  const auto next = attach(client, 1, 11, Role::producer);
  ASSERT_EQ(next.code, ResponseCode::ok) << next.error_message;
  EXPECT_GT(*next.epoch, *producer.epoch);
  EXPECT_EQ(entries(stream_dir(1)).back(), std::to_string(*next.epoch));
}

TEST_F(DriverFaults, SaysWhyItCannotMakeItsNamespaceAnew) {
  start();
  const std::string own = dir.path() + "/tensorpool-tester";
  std::filesystem::remove_all(own);
  std::filesystem::create_directory_symlink("/tmp", own);
  const auto refused = attach(peer(), 1, 11, Role::producer);
  EXPECT_EQ(refused.code, ResponseCode::internal_error);
  EXPECT_NE(refused.error_message.find("was removed, and cannot be made anew"), std::string::npos)
      << refused.error_message;
  EXPECT_NE(refused.error_message.find("a link is not followed"), std::string::npos) << refused.error_message;
  std::filesystem::remove(own);
  EXPECT_EQ(attach(peer(), 1, 12, Role::producer).code, ResponseCode::ok);
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

// A client of tensor_pool_c asks once and waits two seconds.
TEST_F(DriverFaults, DiscardsWhatAFormerLifeWasAskedAndAnswersWhatIsNewFromTheFirstMoment) {
  transport::loopback::set_replay(bus, static_cast<std::int32_t>(config.driver.control_stream_id), true);
  Peer& client = peer();
  client.say(request(1, 10, Role::producer));
  protocol::ShmLeaseKeepalive kept_alive;
  kept_alive.lease_id = 4711;
  kept_alive.stream_id = 1;
  kept_alive.client_id = 10;
  kept_alive.role = Role::producer;
  client.say(kept_alive);
  auto created = Driver::create(config, deps());
  ASSERT_TRUE(created);
  driver = std::move(*created);
  settle();
  EXPECT_TRUE(client.every<ShmAttachResponse>().empty());
  EXPECT_TRUE(client.every<protocol::ShmLeaseRevoked>().empty());
  EXPECT_EQ(driver->status().counts.discarded_at_start, 2U);

  client.say(kept_alive);  // at the very same moment
  client.say(request(1, 11, Role::producer));
  settle();
  ASSERT_EQ(client.every<ShmAttachResponse>().size(), 1U);
  EXPECT_EQ(client.last<ShmAttachResponse>().code, ResponseCode::ok);
  ASSERT_EQ(client.every<protocol::ShmLeaseRevoked>().size(), 1U);
  EXPECT_EQ(client.last<protocol::ShmLeaseRevoked>().error_message, "unknown lease");
  Peer& late = peer();
  EXPECT_EQ(attach(late, request(2, 12, Role::consumer)).code, ResponseCode::ok);
  EXPECT_EQ(driver->status().counts.discarded_at_start, 2U);
}

// spec: reliability D2
TEST_F(DriverFaults, ExpiresNobodyForKeepalivesThatWaitedWhileItWasStopped) {
  start();
  Peer& client = peer();
  const ShmAttachResponse lively = attach(client, 1, 10, Role::producer);
  const ShmAttachResponse dead = attach(client, 2, 11, Role::producer);
  client.say(keepalive(lively, 10, Role::producer));
  EXPECT_EQ(driver->status().counts.pauses, 0U);
  now += 5000 * ms;
  settle();
  EXPECT_TRUE(client.every<ShmLeaseRevoked>().empty());
  EXPECT_EQ(driver->status().counts.pauses, 1U);
  EXPECT_TRUE(logged("no duty cycle for 5000 ms"));
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

// Found by the simulation: the idle epoch that had waited for space came over the producer's, or before it and higher.
TEST_F(DriverFaults, MakesNoIdleEpochAnyMoreOnceAProducerAsked) {
  config.policies.epoch_gc_min_age_ns = 0;
  config.policies.epoch_gc_keep = 1;
  bool full = false;
  space = [&full](const std::string&) -> Result<shm::Space> {
    shm::Space free;
    if (full) free.file_system_free = 0;
    return free;
  };
  start();
  Peer& client = peer();
  const ShmAttachResponse first = attach(client, 1, 10, Role::producer);
  advance(2000 * ms);
  client.say(keepalive(first, 10, Role::producer));
  advance(500 * ms);
  full = true;
  client.say(detach(first, 10, Role::producer));
  settle();
  ASSERT_EQ(driver->status().jobs_pending, 1U) << "it waits for what was removed a moment ago to be free";
  full = false;
  const ShmAttachResponse second = attach(client, 1, 11, Role::producer);
  ASSERT_EQ(second.code, ResponseCode::ok);
  advance(500 * ms);
  EXPECT_EQ(driver->status().jobs_pending, 0U);
  EXPECT_EQ(driver->status().streams[0].epoch, second.epoch);
}

TEST_F(DriverFaults, EndsInTimeThoughTheMediaDriverIsGone) {
  start();
  transport::loopback::kill_media_driver(bus);
  settle();
  driver->request_shutdown(protocol::ShutdownReason::normal);
  advance(3000 * ms);
  EXPECT_TRUE(driver->finished());
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

// spec: driver §6. What a killed driver left is dead once nobody writes it any more, and not before.
TEST_F(DriverFaults, CollectsWhatAFormerLifeLeftOnceItsProducerIsSilent) {
  const auto write_activity = [this](const std::string& epoch, Nanos time) {
    std::fstream ring(stream_dir(1) + "/" + epoch + "/header.ring", std::ios::in | std::ios::out | std::ios::binary);
    ring.seekp(56);
    ring.write(reinterpret_cast<const char*>(&time), sizeof time);
    ring.close();
    ASSERT_TRUE(ring);
  };
  const auto is_there = [this](const std::string& epoch) {
    const auto all = entries(stream_dir(1));
    return std::count(all.begin(), all.end(), epoch) == 1;
  };
  for (const bool at_start : {true, false}) {
    config.policies.epoch_gc_on_startup = at_start;
    config.policies.epoch_gc_keep = 1;
    start();
    const ShmAttachResponse granted = attach(peer(), 1, 10, Role::producer);
    const std::string left = std::to_string(*granted.epoch);
    driver.reset();
    write_activity(left, now);
    start();
    EXPECT_TRUE(is_there(left)) << "its producer still writes";
    for (int i = 0; i < 5; ++i) {
      write_activity(left, now);
      advance(1000 * ms);
      ASSERT_TRUE(is_there(left)) << "its producer still writes";
    }
    driver.reset();
    write_activity(left, now - 3001 * ms);
    start();
    EXPECT_EQ(is_there(left), !at_start);
    advance(5000 * ms);
    EXPECT_FALSE(is_there(left));
    driver.reset();
  }
}

}  // namespace
}  // namespace tensorpool::driver
