#include "tensorpool/client.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>

#include "client/scripted_driver_test.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

using protocol::LeaseRevokeReason;
using protocol::Role;

class ClientTest : public ClientBench {
 protected:
  static PublishStatus publish(Producer& producer, std::uint64_t seed, std::size_t size = 100) {
    return producer.publish(TensorLayout::raw_bytes(static_cast<std::int32_t>(size)), pattern(size, seed));
  }
  // Polls, and checks that every frame's bytes are those of its sequence.
  std::vector<std::uint64_t> poll(Consumer& consumer, int limit = 100) {
    std::vector<std::uint64_t> seqs;
    consumer.poll(
        [&](const Frame& frame) {
          std::vector<std::byte> bytes(frame.size_bytes());
          ASSERT_TRUE(frame.copy_to(bytes));
          EXPECT_EQ(bytes, pattern(bytes.size(), frame.seq()));
          seqs.push_back(frame.seq());
        },
        limit);
    return seqs;
  }
  using Seqs = std::vector<std::uint64_t>;
};

TEST_F(ClientTest, CarriesAFrameFromAProducerToAConsumer) {
  auto client = connect();
  auto consumer = client.attach_consumer({.stream_id = 5, .client_id = 70});
  ASSERT_TRUE(consumer) << consumer.error().message;
  auto producer = client.attach_producer({.stream_id = 5, .client_id = 71});
  ASSERT_TRUE(producer) << producer.error().message;
  run(client, 10 * ms);
  EXPECT_EQ(publish(*producer, 0), PublishStatus::ok);
  EXPECT_EQ(publish(*producer, 1), PublishStatus::ok);
  EXPECT_EQ(poll(*consumer), (Seqs{0, 1}));
  EXPECT_EQ(consumer->stats().delivered, 2u);
  EXPECT_EQ(consumer->stats().epoch, producer->stats().epoch);
  EXPECT_EQ(producer->node_id(), 1u);
  EXPECT_EQ(producer->max_payload_bytes(), 16384u);
  EXPECT_EQ(producer->slots(), 8u);
}

TEST_F(ClientTest, TellsWhatWasTriedWhenNoDriverAnswers) {
  auto client = connect();
  driver->paused = true;
  const auto producer = client.attach_producer({.stream_id = 5, .attach_timeout_ns = 2 * second});
  ASSERT_FALSE(producer);
  EXPECT_EQ(producer.error().code, ErrorCode::timed_out);
  for (const char* part : {"2000 ms", bus_.c_str(), "aeron:ipc", "stream 1000", "stream 5"}) {
    EXPECT_NE(producer.error().message.find(part), std::string::npos) << producer.error().message;
  }
}

TEST_F(ClientTest, ReturnsTheDriversRefusalAtOnce) {
  auto client = connect();
  driver->refuse_with = "stream not provisioned";
  const Nanos before = now;
  const auto consumer = client.attach_consumer({.stream_id = 5});
  ASSERT_FALSE(consumer);
  EXPECT_EQ(consumer.error().code, ErrorCode::refused);
  EXPECT_NE(consumer.error().message.find("stream not provisioned"), std::string::npos);
  EXPECT_LT(now - before, 50 * ms);
}

TEST_F(ClientTest, RefusesCallsThatCannotWork) {
  auto client = connect();
  EXPECT_EQ(client.attach_consumer({}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(client.attach_producer({}).error().code, ErrorCode::invalid_argument);
  const auto nowhere = Client::connect({.aeron_dir = bus_ + "-nobody", .invoker = true});
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().message.find(bus_), std::string::npos);
}

TEST_F(ClientTest, AttachesThoughTheFirstAddTimesOut) {
  auto client = connect();
  transport::loopback::time_out_next_adds(bus_, 1);
  auto consumer = client.attach_consumer({.stream_id = 5});
  ASSERT_TRUE(consumer) << consumer.error().message;
  EXPECT_EQ(count(EventKind::mapping_failed), 1);
  transport::loopback::time_out_next_adds(bus_, 1);
  auto producer = client.attach_producer({.stream_id = 5});
  ASSERT_TRUE(producer) << producer.error().message;
  EXPECT_EQ(count(EventKind::mapping_failed), 2);
  run(client, 10 * ms);
  EXPECT_EQ(publish(*producer, 0), PublishStatus::ok);
  EXPECT_EQ(poll(*consumer), (Seqs{0}));
}

TEST_F(ClientTest, GivesUpAttachingWhenEveryAddTimesOut) {
  auto client = connect();
  transport::loopback::time_out_next_adds(bus_, std::numeric_limits<int>::max());
  const auto consumer = client.attach_consumer({.stream_id = 5, .attach_timeout_ns = 2 * second});
  ASSERT_FALSE(consumer);
  EXPECT_EQ(consumer.error().code, ErrorCode::timed_out);
  for (const char* part : {"2000 ms", "descriptor subscription", "time out"}) {
    EXPECT_NE(consumer.error().message.find(part), std::string::npos) << consumer.error().message;
  }
}

TEST_F(ClientTest, TakesTheStreamThatTheDriverAllocates) {
  auto client = connect();
  const auto producer = client.attach_producer({.create = true});
  ASSERT_TRUE(producer);
  EXPECT_EQ(producer->stream_id(), 20000u);
  EXPECT_NE(producer->client_id(), 0u);
}

// spec: W2
TEST_F(ClientTest, CountsADuplicatedAnswerOnce) {
  driver->answers = 3;
  auto client = connect();
  auto producer = client.attach_producer({.stream_id = 5});
  ASSERT_TRUE(producer);
  run(client, 100 * ms);
  EXPECT_EQ(count(EventKind::attached), 1);
  EXPECT_TRUE(driver->detaches.empty());
}

TEST_F(ClientTest, RefusesRegionsOutsideItsAllowList) {
  auto wanted = options();
  wanted.allowed_base_dirs = {"/dev/shm/elsewhere"};
  auto client = Client::connect(wanted).value();
  const auto consumer = client.attach_consumer({.stream_id = 5});
  ASSERT_FALSE(consumer);
  EXPECT_EQ(count(EventKind::mapping_failed), 1);
  run(client, 100 * ms);
  EXPECT_EQ(driver->detaches.size(), 1u);  // what cannot be used is given back
}

TEST_F(ClientTest, KeepsItsLeaseSaysHelloAndReportsQosEachSecond) {
  auto client = connect();
  auto consumer = client.attach_consumer({.stream_id = 5, .client_id = 70});
  auto producer = client.attach_producer({.stream_id = 5, .client_id = 71});
  ASSERT_TRUE(consumer && producer);
  run(client, 10 * ms);
  for (std::uint64_t i = 0; i < 3; ++i) publish(*producer, i);
  poll(*consumer);
  run(client, 5 * second);
  EXPECT_GE(driver->keepalives.size(), 8u);
  EXPECT_GE(driver->hellos.size(), 4u);
  ASSERT_GE(driver->qos_consumers.size(), 4u);
  EXPECT_EQ(driver->qos_consumers.back().last_seq_seen, 2u);
  EXPECT_EQ(driver->qos_consumers.back().drops_gap, 0u);
  ASSERT_GE(driver->qos_producers.size(), 4u);
  EXPECT_EQ(driver->qos_producers.back().current_seq, 2u);
}

TEST_F(ClientTest, ReportsTheEpochThatItsSequencesBelongTo) {
  auto client = connect();
  auto consumer = client.attach_consumer({.stream_id = 5, .client_id = 70});
  auto producer = client.attach_producer({.stream_id = 5, .client_id = 71});
  ASSERT_TRUE(consumer && producer);
  run(client, 3 * second);
  ASSERT_FALSE(driver->qos_consumers.empty());
  EXPECT_EQ(driver->qos_consumers.back().last_seq_seen, 0u) << "it has not looked at any epoch yet";
  EXPECT_FALSE(driver->hellos.empty());
  for (std::uint64_t i = 0; i < 3; ++i) publish(*producer, i);
  EXPECT_EQ(poll(*consumer), (Seqs{0, 1, 2}));
  const auto epoch = producer->stats().epoch;
  driver->revoke(driver->lease_of(Role::producer), LeaseRevokeReason::revoked);
  run(client, 3 * second);
  ASSERT_FALSE(driver->qos_consumers.empty());
  EXPECT_EQ(driver->qos_consumers.back().epoch, epoch);
  EXPECT_EQ(driver->qos_consumers.back().last_seq_seen, 2u);
}

TEST_F(ClientTest, AsksWhetherToKeepWaitingAndGivesUpWhenToldSo) {
  driver->paused = true;
  int asked = 0;
  auto wanted = options();
  wanted.keep_waiting = [&] { return ++asked < 10; };
  auto client = Client::connect(wanted).value();
  const Nanos before = now;
  const auto consumer = client.attach_consumer({.stream_id = 5});
  ASSERT_FALSE(consumer);
  EXPECT_EQ(consumer.error().code, ErrorCode::closed);
  EXPECT_EQ(asked, 10);
  EXPECT_GE(now - before, 900 * ms);  // ten times a second
  EXPECT_LE(now - before, 1100 * ms);
  driver->paused = false;  // what is granted to nobody is given back
  run(client, 100 * ms);
  EXPECT_EQ(driver->detaches.size(), 1u);
  EXPECT_TRUE(driver->leases.empty());
}

TEST_F(ClientTest, AsksAtLeastOnceWhetherToWaitAndThenAttaches) {
  int asked = 0;
  auto wanted = options();
  wanted.keep_waiting = [&] { return ++asked > 0; };
  auto client = Client::connect(wanted).value();
  EXPECT_TRUE(client.attach_consumer({.stream_id = 5}));
  EXPECT_EQ(asked, 1);
}

TEST_F(ClientTest, DetachesWhenAHandleIsDestroyed) {
  auto client = connect();
  {
    auto producer = client.attach_producer({.stream_id = 5});
    ASSERT_TRUE(producer);
    publish(*producer, 0);
  }
  run(client, 20 * ms);
  EXPECT_EQ(driver->detaches.size(), 1u);
  EXPECT_TRUE(driver->leases.empty());
}

TEST_F(ClientTest, DetachesEverythingWhenItIsDestroyedAndHandlesSurviveIt) {
  std::optional<Producer> producer;
  std::optional<Consumer> consumer;
  {
    auto client = connect();
    consumer = *client.attach_consumer({.stream_id = 5});
    producer = *client.attach_producer({.stream_id = 5});
    publish(*producer, 0);
  }
  EXPECT_EQ(driver->detaches.size(), 2u);
  EXPECT_EQ(publish(*producer, 1), PublishStatus::not_attached);
  EXPECT_EQ(poll(*consumer).size(), 0u);
  EXPECT_FALSE(producer->attached());
}

// spec: 1.2 C2, behaviour Producer: no hello or QoS of a consumer for 5 periods.
TEST_F(ClientTest, SaysThatNobodyListens) {
  auto client = connect();
  auto other = connect();
  auto producer = client.attach_producer({.stream_id = 5});
  ASSERT_TRUE(producer);
  EXPECT_EQ(publish(*producer, 0), PublishStatus::no_consumer);
  {
    auto consumer = other.attach_consumer({.stream_id = 5});
    run(client, other, 100 * ms);
    EXPECT_EQ(publish(*producer, 1), PublishStatus::ok);
  }
  run(client, other, 4 * second);
  EXPECT_EQ(publish(*producer, 2), PublishStatus::ok);
  run(client, other, 3 * second);
  EXPECT_EQ(publish(*producer, 3), PublishStatus::no_consumer);
  EXPECT_TRUE(is_committed(PublishStatus::no_consumer));
}

TEST_F(ClientTest, StopsOnARevokeReattachesAndGoesOnInANewEpoch) {
  auto client = connect();
  auto consumer = client.attach_consumer({.stream_id = 5});
  auto producer = client.attach_producer({.stream_id = 5});
  ASSERT_TRUE(consumer && producer);
  run(client, 10 * ms);
  publish(*producer, 0);
  EXPECT_EQ(poll(*consumer), (Seqs{0}));
  const auto old_epoch = producer->stats().epoch;
  driver->revoke(driver->lease_of(Role::producer), LeaseRevokeReason::expired);
  run(client, 5 * ms);
  EXPECT_EQ(publish(*producer, 0), PublishStatus::not_attached);
  EXPECT_FALSE(producer->attached());
  run(client, 500 * ms);
  EXPECT_EQ(count(EventKind::revoked), 1);
  EXPECT_TRUE(producer->attached());
  EXPECT_EQ(publish(*producer, 0), PublishStatus::ok);
  EXPECT_GT(producer->stats().epoch, old_epoch);
  EXPECT_EQ(poll(*consumer), (Seqs{0}));
  EXPECT_EQ(consumer->stats().epoch, producer->stats().epoch);
  EXPECT_GE(consumer->stats().remaps, 1u);
  expect_balance(consumer->stats());
}

TEST_F(ClientTest, DeliversWhatIsLeftOfTheOldEpochBeforeTheNewOne) {
  auto client = connect();
  auto consumer = client.attach_consumer({.stream_id = 5});
  auto producer = client.attach_producer({.stream_id = 5});
  run(client, 10 * ms);
  EXPECT_EQ(poll(*consumer).size(), 0u);
  for (std::uint64_t i = 0; i < 3; ++i) publish(*producer, i);
  producer = client.attach_producer({.stream_id = 6});  // drops the first one: the driver moves to an idle epoch
  run(client, 20 * ms);
  EXPECT_EQ(poll(*consumer), (Seqs{0, 1, 2}));
  EXPECT_EQ(consumer->stats().delivered, 3u);
  EXPECT_EQ(consumer->stats().wrong_epoch, 0u);
}

// spec: E1, W2: older epochs, other streams, stale time stamps and regions that are not there change nothing.
TEST_F(ClientTest, IgnoresAnnouncesThatAreOldForeignOrCannotBeMapped) {
  auto client = connect();
  auto consumer = client.attach_consumer({.stream_id = 5});
  auto producer = client.attach_producer({.stream_id = 5});
  run(client, 10 * ms);
  publish(*producer, 0);
  poll(*consumer);
  const auto epoch = consumer->stats().epoch;

  auto announce = driver->announce_of(driver->layout(5));
  announce.epoch -= 1;
  driver->send(announce);
  announce.epoch += 10;
  announce.announce_timestamp_ns -= 10 * static_cast<std::uint64_t>(second);
  driver->send(announce);
  announce = driver->announce_of(driver->layout(5));
  announce.epoch += 10;
  announce.stream_id = 6;
  driver->send(announce);
  run(client, 5 * ms);
  EXPECT_EQ(count(EventKind::mapping_failed), 0);

  announce.stream_id = 5;
  announce.header_region_uri = "shm:file?path=" + dir.path() + "/nothing/header.ring";
  auto forged = announce;
  forged.producer_id = 1;
  driver->announcing = false;
  // The producer would give way to a higher epoch and come back; here only the consumer must hold.
  producer = client.attach_producer({.stream_id = 9});
  driver->send(forged);
  run(client, 5 * ms);
  EXPECT_EQ(count(EventKind::mapping_failed), 1);
  poll(*consumer);
  EXPECT_GE(consumer->stats().epoch, epoch);

  // And the stream is not blocked by it: the next real epoch is lower than the forged one, and is followed.
  producer = client.attach_producer({.stream_id = 5});
  run(client, 10 * ms);
  publish(*producer, 0);
  EXPECT_EQ(poll(*consumer), (Seqs{0}));
}

TEST_F(ClientTest, IsNotMovedByAForgedAnnounceOfAHigherEpoch) {
  auto client = connect();
  auto consumer = client.attach_consumer({.stream_id = 5});
  auto producer = client.attach_producer({.stream_id = 5});
  run(client, 10 * ms);
  const auto epoch = producer->stats().epoch;
  auto forged = driver->announce_of(driver->layout(5));
  forged.epoch = std::uint64_t{1} << 63;
  forged.header_region_uri = "shm:file?path=" + dir.path() + "/nothing/header.ring";
  driver->send(forged);
  run(client, 10 * second);
  EXPECT_EQ(count(EventKind::mapping_failed), 1);
  EXPECT_EQ(count(EventKind::driver_silent), 0);
  EXPECT_EQ(count(EventKind::revoked), 0);
  EXPECT_EQ(driver->attaches.size(), 2u);
  EXPECT_EQ(publish(*producer, 0), PublishStatus::ok);
  EXPECT_EQ(producer->stats().epoch, epoch);
  EXPECT_EQ(poll(*consumer), (Seqs{0}));
}

TEST_F(ClientTest, RefusesPeriodsAndTimeOutsThatCannotWork) {
  const auto refused = [&](auto&& spoil) {
    auto wanted = options();
    spoil(wanted);
    const auto client = Client::connect(wanted);
    return !client && client.error().code == ErrorCode::invalid_argument && !client.error().message.empty();
  };
  EXPECT_FALSE(refused([](ClientOptions&) {}));
  for (const Nanos bad : {Nanos{0}, Nanos{-1}}) {
    EXPECT_TRUE(refused([&](ClientOptions& o) { o.announce_period_ns = bad; }));
    EXPECT_TRUE(refused([&](ClientOptions& o) { o.qos_interval_ns = bad; }));
    EXPECT_TRUE(refused([&](ClientOptions& o) { o.attach_timeout_ns = bad; }));
    EXPECT_TRUE(refused([&](ClientOptions& o) { o.conductor_nap_ns = bad; }));
  }
  EXPECT_TRUE(refused([](ClientOptions& o) { o.announce_period_ns = std::numeric_limits<Nanos>::max(); }));
  auto client = connect();
  EXPECT_EQ(client.attach_consumer({.stream_id = 5, .attach_timeout_ns = -1}).error().code,
            ErrorCode::invalid_argument);
  EXPECT_EQ(client.attach_producer({.stream_id = 5, .attach_timeout_ns = -1}).error().code,
            ErrorCode::invalid_argument);
  // As long as it takes is a time-out too.
  EXPECT_TRUE(client.attach_consumer({.stream_id = 5, .attach_timeout_ns = std::numeric_limits<Nanos>::max()}));
}

// A producer that attaches a moment after a consumer: grant and announce are read in one cycle.
TEST_F(ClientTest, StaysInAnEpochThatWasAnnouncedBeforeItsGrantWasMapped) {
  driver->after_answer = [this] {
    driver->bump(5);
    driver->announce_all();
  };
  auto client = connect();
  const auto consumer = client.attach_consumer({.stream_id = 5});
  ASSERT_TRUE(consumer) << consumer.error().message;
  driver->announcing = false;
  run(client, 10 * ms);
  ASSERT_EQ(count(EventKind::attached), 1);
  ASSERT_EQ(count(EventKind::remapped), 1);
  EXPECT_EQ(events.back().kind, EventKind::remapped) << events.back().message;
  EXPECT_NE(events.back().message.find(fmt::format("epoch {}", driver->layout(5).epoch)), std::string::npos);
}

TEST_F(ClientTest, OutlivesARestartedDriver) {
  auto client = connect();
  auto consumer = client.attach_consumer({.stream_id = 5});
  auto producer = client.attach_producer({.stream_id = 5});
  run(client, 10 * ms);
  EXPECT_EQ(poll(*consumer).size(), 0u);
  publish(*producer, 0);
  driver->paused = true;
  run(client, 3100 * ms);
  EXPECT_EQ(count(EventKind::driver_silent), 2);
  EXPECT_EQ(publish(*producer, 1), PublishStatus::ok);  // a silent driver stops no camera
  driver->forget();
  driver->paused = false;
  run(client, 2 * second);
  EXPECT_EQ(driver->leases.size(), 2u);
  EXPECT_TRUE(producer->attached() && consumer->attached());
  EXPECT_EQ(poll(*consumer), (Seqs{0, 1}));
  EXPECT_EQ(publish(*producer, 0), PublishStatus::ok);
  EXPECT_EQ(poll(*consumer), (Seqs{0}));
  expect_balance(consumer->stats());
}

TEST_F(ClientTest, SaysGoodbyeWithTheDriverAndComesBackWithTheNext) {
  auto client = connect();
  auto producer = client.attach_producer({.stream_id = 5});
  driver->send(protocol::ShmDriverShutdown{static_cast<std::uint64_t>(now), protocol::ShutdownReason::normal, "bye"});
  driver->forget();
  run(client, 2 * ms);
  EXPECT_EQ(count(EventKind::driver_shutdown), 1);
  EXPECT_EQ(publish(*producer, 0), PublishStatus::not_attached);
  run(client, second);
  EXPECT_EQ(publish(*producer, 0), PublishStatus::no_consumer);
}

// spec: M1
TEST_F(ClientTest, ReconnectsAndReattachesAfterTheMediaDriverWasRestarted) {
  auto client = connect();
  auto consumer = client.attach_consumer({.stream_id = 5});
  auto producer = client.attach_producer({.stream_id = 5});
  run(client, 10 * ms);
  transport::loopback::force_offer_result(bus_, 1100, transport::OfferResult::admin_action, 1);
  publish(*producer, 0);
  EXPECT_EQ(poll(*consumer), (Seqs{0}));
  transport::loopback::kill_media_driver(bus_);
  for (int i = 0; i < 300; ++i) client.do_work(now += ms);
  EXPECT_EQ(count(EventKind::media_driver_lost), 1);
  EXPECT_EQ(publish(*producer, 1), PublishStatus::not_attached);
  EXPECT_EQ(poll(*consumer).size(), 0u);
  transport::loopback::start_media_driver(bus_);
  driver->connect();
  run(client, 2 * second);
  EXPECT_EQ(count(EventKind::media_driver_back), 1);
  EXPECT_TRUE(producer->attached() && consumer->attached());
  transport::loopback::force_offer_result(bus_, 1100, transport::OfferResult::admin_action, 1);
  EXPECT_EQ(publish(*producer, 0), PublishStatus::ok);
  EXPECT_EQ(poll(*consumer), (Seqs{0}));
  EXPECT_EQ(producer->stats().admin_retries, 2u) << "those of the dead connection count as well";
  expect_balance(consumer->stats());
}

TEST_F(ClientTest, RunsOnAThreadOfItsOwn) {
  auto wanted = options();
  wanted.invoker = false;
  wanted.on_event = {};
  wanted.conductor_nap_ns = 100 * nanos_per_micro;
  auto client = Client::connect(wanted).value();
  std::atomic<bool> stop{false};
  std::thread driving([&] {
    while (!stop.load()) {
      driver->do_work(monotonic_now());
      std::this_thread::yield();
    }
  });
  {
    auto consumer = client.attach_consumer({.stream_id = 5});
    auto producer = client.attach_producer({.stream_id = 5});
    ASSERT_TRUE(consumer && producer);
    const auto epoch = producer->stats().epoch;
    static_cast<void>(epoch);
    std::size_t received = 0;
    std::uint64_t sent = 0;
    while (received < 20) {
      if (is_committed(publish(*producer, sent))) ++sent;
      consumer->poll([&](const Frame&) { ++received; });
      std::this_thread::yield();
    }
    expect_balance(consumer->stats());
  }
  stop = true;
  driving.join();
}

}  // namespace
}  // namespace tensorpool::detail
