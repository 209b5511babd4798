// A producer and its consumers without any driver: client in invoker mode, in-memory transport, a clock by hand.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/file_lock.hpp"
#include "client/scripted_driver_test.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

namespace fs = std::filesystem;
using Seqs = std::vector<std::uint64_t>;

class Standalone : public ClientBench {
 protected:
  Standalone() { driver.reset(); }

  ProducerOptions producing(std::uint32_t stream_id = 5) const {
    ProducerOptions wanted;
    wanted.stream_id = stream_id;
    wanted.standalone = StandaloneOptions{
        .pools = {{1, 4096}, {2, 16384}}, .nslots = 8, .base_dir = dir.path(), .user = "test", .prefault = false};
    return wanted;
  }
  static ConsumerOptions consuming(Nanos attach_timeout_ns = 5 * second) {
    return {.stream_id = 5, .attach_timeout_ns = attach_timeout_ns, .standalone = true};
  }
  static PublishStatus publish(Producer& producer) {
    const auto seq = producer.stats().next_seq;
    return producer.publish(TensorLayout::raw_bytes(100), pattern(100, seq));
  }
  static Seqs poll(Consumer& consumer) {
    Seqs seqs;
    consumer.poll(
        [&](const Frame& frame) {
          std::vector<std::byte> bytes(frame.size_bytes());
          ASSERT_TRUE(frame.copy_to(bytes));
          EXPECT_EQ(bytes, pattern(bytes.size(), frame.seq()));
          seqs.push_back(frame.seq());
        },
        100);
    return seqs;
  }
  std::string name_space(const std::string& name = "default") const { return dir.path() + "/tensorpool-test/" + name; }
  // Epoch directories of stream 5.
  std::vector<std::string> epochs() const {
    std::vector<std::string> found;
    if (fs::exists(name_space() + "/5")) {
      for (const auto& entry : fs::directory_iterator(name_space() + "/5")) found.push_back(entry.path().filename());
    }
    return found;
  }
  // What a producer that was killed leaves: the files of an epoch, last active `age_ns` ago. Nobody holds the lock.
  std::uint64_t leave_epoch(Nanos age_ns, std::uint64_t epoch = 77) {
    auto store = shm::EpochStore::open({.base_dir = dir.path(), .user = "test"}).value();
    shm::RegionSpec spec{.stream_id = 5, .epoch = epoch, .nslots = 8, .pools = {{1, 4096}}};
    spec.prefault = false;
    auto creator = shm::RegionCreator::begin(store, spec).value();
    while (creator.step(1 << 20, now - age_ns).value() == shm::RegionCreator::Progress::working) {
    }
    return epoch;
  }
};

TEST_F(Standalone, CarriesFramesWithoutADriver) {
  auto client = connect();
  auto producer = client.attach_producer(producing());
  ASSERT_TRUE(producer) << producer.error().message;
  EXPECT_EQ(publish(*producer), PublishStatus::no_consumer);
  auto consumer = client.attach_consumer(consuming());
  ASSERT_TRUE(consumer) << consumer.error().message;
  run(client, 10 * ms);
  EXPECT_EQ(publish(*producer), PublishStatus::ok);
  EXPECT_EQ(publish(*producer), PublishStatus::ok);
  const Seqs seen = poll(*consumer);
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back(), 2u);
  EXPECT_GE(producer->stats().epoch, static_cast<std::uint64_t>(1'000'000'000'000'000'000));  // wall-clock nanoseconds
  EXPECT_EQ(producer->max_payload_bytes(), 16384u);
  EXPECT_EQ(producer->node_id(), std::nullopt);
  expect_balance(consumer->stats());
}

TEST_F(Standalone, AttachesThoughTheFirstAddTimesOut) {
  auto client = connect();
  transport::loopback::time_out_next_adds(bus_, 1);
  auto producer = client.attach_producer(producing());
  ASSERT_TRUE(producer) << producer.error().message;
  transport::loopback::time_out_next_adds(bus_, 1);
  auto consumer = client.attach_consumer(consuming());
  ASSERT_TRUE(consumer) << consumer.error().message;
  EXPECT_EQ(count(EventKind::mapping_failed), 2);
}

TEST_F(Standalone, ConsumerMayComeFirstAndStaysForHours) {
  auto client = connect();
  auto other = connect();
  bool tried = false;
  ClientOptions patient = options();
  std::optional<Producer> producer;
  patient.wait = [&] {
    if (!std::exchange(tried, true)) producer.emplace(client.attach_producer(producing()).value());
    client.do_work(tick());
    return now;
  };
  auto reader = Client::connect(patient).value();
  auto consumer = reader.attach_consumer(consuming());
  ASSERT_TRUE(consumer) << consumer.error().message;
  for (int i = 0; i < 20; ++i) {
    run(client, reader, second);
    publish(*producer);
    poll(*consumer);
  }
  EXPECT_EQ(count(EventKind::producer_gone), 0);
  EXPECT_EQ(consumer->stats().delivered, 20u);
}

TEST_F(Standalone, ConsumerSaysThatNobodyAnnouncedTheStream) {
  auto client = connect();
  const Nanos began = now;
  auto consumer = client.attach_consumer(consuming());
  ASSERT_FALSE(consumer);
  EXPECT_EQ(consumer.error().code, ErrorCode::timed_out);
  EXPECT_NE(consumer.error().message.find("standalone producer"), std::string::npos) << consumer.error().message;
  EXPECT_NEAR(static_cast<double>(now - began), 5e9, 1e8);
}

TEST_F(Standalone, DeclinesStreamsOfAConsumersOwn) {
  auto client = connect();
  auto producer = client.attach_producer(producing());
  ConsumerOptions wanted = consuming();
  wanted.own_streams = true;
  auto consumer = client.attach_consumer(wanted).value();
  run(client, 3 * second);
  publish(*producer);
  EXPECT_EQ(poll(consumer).size(), 1u);
  EXPECT_EQ(consumer.terms().descriptor_stream_id, 0u);
  EXPECT_EQ(count(EventKind::configured), 1);  // told once
}

TEST_F(Standalone, LeavesNoFileBehindAndSaysGoodbye) {
  auto client = connect();
  auto reader = connect();
  auto producer = client.attach_producer(producing());
  auto consumer = [&] {
    ClientOptions with_both = options();
    with_both.wait = [&] {
      client.do_work(tick());
      return now;
    };
    reader = Client::connect(with_both).value();
    return reader.attach_consumer(consuming()).value();
  }();
  run(client, reader, 10 * ms);
  publish(*producer);
  EXPECT_EQ(epochs().size(), 1u);
  producer = Error{};
  run(client, reader, 50 * ms);
  EXPECT_TRUE(epochs().empty());
  EXPECT_FALSE(fs::exists(name_space() + "/5"));
  EXPECT_EQ(count(EventKind::producer_gone), 1);
  // What was in the ring is read to the end.
  EXPECT_EQ(poll(consumer), (Seqs{0}));
}

TEST_F(Standalone, FollowsTheNextEpochAfterARestart) {
  auto client = connect();
  auto producer = client.attach_producer(producing());
  auto consumer = client.attach_consumer(consuming()).value();
  run(client, 10 * ms);
  publish(*producer);
  const auto first = producer->stats().epoch;
  EXPECT_EQ(poll(consumer), (Seqs{0}));
  producer = Error{};
  run(client, 50 * ms);
  producer = client.attach_producer(producing());
  ASSERT_TRUE(producer) << producer.error().message;
  run(client, 10 * ms);
  EXPECT_GT(producer->stats().epoch, first);
  publish(*producer);
  EXPECT_EQ(poll(consumer), (Seqs{0}));
  EXPECT_EQ(consumer.stats().remaps, 1u);
  expect_balance(consumer.stats());
}

TEST_F(Standalone, TellsThatAProducerFellSilentAndIsThereAgain) {
  auto client = connect();
  auto reader = connect();
  auto producer = client.attach_producer(producing());
  ClientOptions with_both = options();
  with_both.wait = [&] {
    client.do_work(tick());
    return now;
  };
  reader = Client::connect(with_both).value();
  auto consumer = reader.attach_consumer(consuming()).value();
  publish(*producer);
  run(reader, 2900 * ms);
  EXPECT_EQ(count(EventKind::producer_gone), 0);
  run(reader, 1200 * ms);  // the producer's process stands still
  EXPECT_EQ(count(EventKind::producer_gone), 1);
  run(client, reader, 2 * second);
  publish(*producer);
  poll(consumer);
  EXPECT_EQ(consumer.stats().delivered, 2u);
  EXPECT_EQ(count(EventKind::producer_gone), 1);
}

TEST_F(Standalone, CollectsWhatAKilledProducerLeft) {
  leave_epoch(10 * second);
  fs::create_directories(name_space() + "/5/.making-78");
  auto client = connect();
  const Nanos began = now;
  auto producer = client.attach_producer(producing());
  ASSERT_TRUE(producer) << producer.error().message;
  EXPECT_LT(now - began, second);
  EXPECT_EQ(epochs(), (std::vector<std::string>{std::to_string(producer->stats().epoch)}));
}

TEST_F(Standalone, WaitsUntilAKilledProducersActivityIsOld) {
  leave_epoch(100 * ms);
  auto client = connect();
  const Nanos began = now;
  auto producer = client.attach_producer(producing());
  ASSERT_TRUE(producer) << producer.error().message;
  EXPECT_GT(now - began, 2 * second);
  EXPECT_LT(now - began, 4 * second);
  EXPECT_EQ(epochs().size(), 1u);
}

TEST_F(Standalone, RefusesAStreamThatSomebodyStillWrites) {
  const auto epoch = leave_epoch(100 * ms);
  const shm::RegionLayout layout{.stream_id = 5,
                                 .epoch = epoch,
                                 .nslots = 8,
                                 .header_path = name_space() + "/5/77/header.ring",
                                 .pools = {{1, 4096, name_space() + "/5/77/1.pool"}}};
  auto orphan = shm::RegionSet::map(layout, shm::Access::read_write, {{dir.path()}}).value();
  ClientOptions wanted = options();
  wanted.wait = [&] {
    if (tick() % second == 0) orphan->touch_activity(now);
    return now;
  };
  auto client = Client::connect(wanted).value();
  const auto producer = client.attach_producer(producing());
  ASSERT_FALSE(producer);
  EXPECT_EQ(producer.error().code, ErrorCode::already_exists);
  EXPECT_NE(producer.error().message.find("has another producer"), std::string::npos) << producer.error().message;
  EXPECT_EQ(epochs(), std::vector<std::string>{"77"});
}

TEST_F(Standalone, GivesAStreamOfANamespaceToOneProducer) {
  auto client = connect();
  auto other = connect();
  auto producer = client.attach_producer(producing());
  const auto second_one = other.attach_producer(producing());
  ASSERT_FALSE(second_one);
  EXPECT_EQ(second_one.error().code, ErrorCode::already_exists);
  EXPECT_NE(second_one.error().message.find("stream 5"), std::string::npos) << second_one.error().message;
  EXPECT_EQ(epochs().size(), 1u);
  EXPECT_TRUE(other.attach_producer(producing(6)));  // another stream of the namespace is free
  EXPECT_TRUE(client.attach_producer(producing(7)));
  producer = Error{};
  EXPECT_TRUE(client.attach_producer(producing()));  // at once: the old one is still about to go
}

TEST_F(Standalone, RefusesANamespaceThatADriverServes) {
  auto store = shm::EpochStore::open({.base_dir = dir.path(), .user = "test"}).value();
  const auto lock = FileLock::try_acquire(store.lock_path()).value();
  auto client = connect();
  const auto producer = client.attach_producer(producing());
  ASSERT_FALSE(producer);
  EXPECT_NE(producer.error().message.find("driver"), std::string::npos) << producer.error().message;
}

TEST_F(Standalone, SaysWhatIsWrongWithWhatItWasAsked) {
  auto client = connect();
  const auto refusal = [&](auto&& spoil) {
    ProducerOptions wanted = producing();
    spoil(wanted);
    const auto producer = client.attach_producer(wanted);
    EXPECT_TRUE(epochs().empty());
    return producer ? std::string("accepted") : producer.error().message;
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  EXPECT_PRED2(has, refusal([](auto& o) { o.stream_id = 0; }), "stream id");
  EXPECT_PRED2(has, refusal([](auto& o) { o.standalone->pools.clear(); }), "pool");
  EXPECT_PRED2(has, refusal([](auto& o) { o.standalone->pools[0].stride_bytes = 100; }), "multiple of 64");
  EXPECT_PRED2(has, refusal([](auto& o) { o.standalone->nslots = 7; }), "power of two");
  EXPECT_PRED2(has, refusal([](auto& o) { o.standalone->permissions = 0666; }), "permissions 666");
  EXPECT_PRED2(has, refusal([](auto& o) { o.standalone->name_space = "a/b"; }), "namespace");
  EXPECT_PRED2(has, refusal([](auto& o) { o.standalone->base_dir = "/nowhere/at/all"; }), "/nowhere/at/all");
  EXPECT_PRED2(has, refusal([](auto& o) {
                 o.standalone->pools[1].stride_bytes = 0x7fffffc0;
                 o.standalone->nslots = 1 << 20;
               }),
               "bytes are free");
  EXPECT_PRED2(has, refusal([](auto& o) { o.expected_layout_version = 2; }), "layout version 2");
}

TEST_F(Standalone, IsNotLedAstrayByHostileLeftovers) {
  const std::string outside = dir.path() + "/outside";
  fs::create_directories(outside);
  std::ofstream(outside + "/precious") << "kept";
  leave_epoch(10 * second, 70);
  fs::create_directory_symlink(outside, name_space() + "/5/71");
  std::ofstream(name_space() + "/5/72") << "a file where a directory should be";
  auto client = connect();
  auto producer = client.attach_producer(producing());
  ASSERT_TRUE(producer) << producer.error().message;
  EXPECT_TRUE(fs::exists(outside + "/precious"));
  EXPECT_EQ(count(EventKind::log), 2);
  EXPECT_NE(last(EventKind::log)->message.find("stays"), std::string::npos);
  run(client, 10 * ms);
  EXPECT_EQ(publish(*producer), PublishStatus::no_consumer);
}

TEST_F(Standalone, RefusesAStreamDirectoryThatIsALink) {
  const std::string outside = dir.path() + "/outside";
  fs::create_directories(outside);
  static_cast<void>(shm::EpochStore::open({.base_dir = dir.path(), .user = "test"}).value());
  fs::create_directory_symlink(outside, name_space() + "/5");
  auto client = connect();
  EXPECT_FALSE(client.attach_producer(producing()));
  EXPECT_TRUE(fs::is_empty(outside));
}

TEST_F(Standalone, BeginsANewEpochWhenTheMediaDriverComesBack) {
  auto client = connect();
  auto producer = client.attach_producer(producing()).value();
  auto consumer = client.attach_consumer(consuming()).value();
  run(client, 10 * ms);
  publish(producer);
  poll(consumer);
  const auto first = producer.stats().epoch;
  transport::loopback::kill_media_driver(bus_);
  run(client, second);
  EXPECT_EQ(publish(producer), PublishStatus::not_attached);
  transport::loopback::start_media_driver(bus_);
  run(client, 3 * second);
  EXPECT_EQ(publish(producer), PublishStatus::ok);
  EXPECT_GT(producer.stats().epoch, first);
  EXPECT_EQ(epochs().size(), 1u);
  EXPECT_EQ(poll(consumer), (Seqs{0}));
}

TEST_F(Standalone, RemovesItsFilesThoughTheMediaDriverIsGone) {
  {
    auto client = connect();
    auto producer = client.attach_producer(producing()).value();
    transport::loopback::kill_media_driver(bus_);
    run(client, 100 * ms);
  }
  EXPECT_TRUE(epochs().empty());
}

// A stream id that a driver and a standalone producer both use: each consumer stays with whom it attached to.
class SharedStream : public Standalone {
 protected:
  SharedStream() {
    driver = std::make_unique<ScriptedDriver>(bus_, dir.path(), ScriptedDriver::Settings{});
    wanted.standalone->name_space = "mine";
  }
  ProducerOptions wanted = producing();
};

TEST_F(SharedStream, LeasedConsumerStaysWithItsDriver) {
  auto client = connect();
  auto leased = client.attach_producer({.stream_id = 5}).value();
  auto consumer = client.attach_consumer({.stream_id = 5}).value();
  run(client, 10 * ms);
  publish(leased);
  EXPECT_EQ(poll(consumer), (Seqs{0}));
  auto alone = client.attach_producer(wanted);
  ASSERT_TRUE(alone) << alone.error().message;
  EXPECT_GT(alone->stats().epoch, leased.stats().epoch);
  for (int i = 0; i < 8; ++i) {
    run(client, second);
    publish(*alone);
    publish(leased);
    poll(consumer);
  }
  EXPECT_EQ(consumer.stats().epoch, leased.stats().epoch);
  EXPECT_EQ(consumer.stats().delivered, 9u);
  EXPECT_GT(consumer.stats().wrong_epoch, 0u);  // until the consumer knows its publication
  EXPECT_EQ(count(EventKind::revoked), 0);
  EXPECT_EQ(count(EventKind::mapping_failed), 1);  // told once
}

TEST_F(SharedStream, FollowerStaysWithItsProducer) {
  auto client = connect();
  auto alone = client.attach_producer(wanted).value();
  auto consumer = client.attach_consumer(consuming()).value();
  auto leased = client.attach_producer({.stream_id = 5}).value();
  for (int i = 0; i < 8; ++i) {
    run(client, second);
    publish(alone);
    publish(leased);
    poll(consumer);
  }
  EXPECT_EQ(consumer.stats().epoch, alone.stats().epoch);
  EXPECT_EQ(consumer.stats().delivered, 8u);
  EXPECT_EQ(count(EventKind::producer_gone), 0);
  EXPECT_GE(count(EventKind::log), 1);  // the producers heard of each other
}

}  // namespace
}  // namespace tensorpool::detail
