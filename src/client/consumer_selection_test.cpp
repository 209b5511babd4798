// Which frames of the shared stream a consumer takes by its own wish, and what a ConsumerConfig does to it.
#include <gtest/gtest.h>

#include "client/scripted_driver_test.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

class ConsumerSelectionTest : public StreamBench {
 protected:
  void attach_consumer(ConsumerOptions wanted) {
    wanted.client_id = reader_id;
    attach({}, wanted);
    run(client, 10 * ms);
  }
  PublishStatus publish_at(std::uint64_t seed, Nanos timestamp_ns) {
    return producer->publish(TensorLayout::raw_bytes(100), pattern(100, seed), {.timestamp_ns = timestamp_ns});
  }
  static protocol::ConsumerConfig config(protocol::Mode mode, bool use_shm = true, std::uint32_t consumer = reader_id) {
    protocol::ConsumerConfig made;
    made.stream_id = 5;
    made.consumer_id = consumer;
    made.use_shm = use_shm;
    made.mode = mode;
    return made;
  }
  void say(const protocol::ConsumerConfig& config) {
    driver->send(config);
    run(client, 5 * ms);
  }
  protocol::QosConsumer last_qos() {
    run(client, 1100 * ms);
    return driver->qos_consumers.back();
  }
};

TEST_F(ConsumerSelectionTest, DeliversEveryNthFrameAndCountsTheOthers) {
  attach_consumer({.decimation = 3});
  Seqs taken;
  for (std::uint64_t i = 0; i < 12; ++i) {
    publish(i);
    for (const std::uint64_t seq : poll()) taken.push_back(seq);
  }
  EXPECT_EQ(taken, (Seqs{0, 3, 6, 9}));
  const auto stats = consumer->stats();
  EXPECT_EQ(stats[LossCause::decimated], 8u);
  expect_balance(stats);
  const auto qos = last_qos();
  EXPECT_EQ(qos.drops_gap, 0u) << "what it did not want is no loss";
  EXPECT_EQ(qos.drops_late, 0u);
  EXPECT_EQ(qos.last_seq_seen, 11u);
}

TEST_F(ConsumerSelectionTest, TakesTheNextFrameInPlaceOfANthThatWasLost) {
  attach_consumer({.decimation = 3});
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  publish(1);
  publish(2);
  claim();  // sequence 3 is given up
  publish(4);
  EXPECT_EQ(poll(), (Seqs{4}));
  EXPECT_EQ(consumer->stats().abandoned, 1u);
  EXPECT_EQ(consumer->stats()[LossCause::decimated], 2u);
  expect_balance(consumer->stats());
}

TEST_F(ConsumerSelectionTest, KeepsALimitOfLessThanOneFrameASecond) {
  attach_consumer({.max_rate_hz = 0.1});
  Seqs taken;
  for (std::uint64_t i = 0; i < 50; ++i) {
    publish_at(i, 7 * second + static_cast<Nanos>(i) * second);
    for (const std::uint64_t seq : poll()) taken.push_back(seq);
  }
  EXPECT_EQ(taken, (Seqs{0, 10, 20, 30, 40}));
  expect_balance(consumer->stats());
}

TEST_F(ConsumerSelectionTest, LimitsTheRateByTheFramesTimeStamps) {
  attach_consumer({.max_rate_hz = 10});
  Seqs taken;
  for (std::uint64_t i = 0; i < 100; ++i) {
    publish_at(i, 7 * second + static_cast<Nanos>(i) * 10 * ms);
    for (const std::uint64_t seq : poll()) taken.push_back(seq);
  }
  EXPECT_EQ(taken, (Seqs{0, 10, 20, 30, 40, 50, 60, 70, 80, 90}));
  const auto stats = consumer->stats();
  EXPECT_EQ(stats[LossCause::rate_limited], 90u);
  expect_balance(stats);
  const auto qos = last_qos();
  EXPECT_EQ(qos.mode, protocol::Mode::rate_limited);
  EXPECT_EQ(qos.drops_gap + qos.drops_late, 0u);
}

TEST_F(ConsumerSelectionTest, GivesTheBudgetOfAnOverwrittenFrameBack) {
  attach_consumer({.max_rate_hz = 10});
  publish_at(0, second);
  EXPECT_EQ(poll(), (Seqs{0}));
  publish_at(1, 2 * second);
  consumer->poll([&](const Frame& frame) {
    if (frame.seq() != 1) return;
    for (std::uint64_t i = 2; i <= 9; ++i) publish_at(i, 2 * second + static_cast<Nanos>(i) * ms);
  });
  EXPECT_EQ(consumer->stats()[LossCause::late], 1u);
  EXPECT_EQ(poll(), (Seqs{9})) << "in place of the lost one";
  expect_balance(consumer->stats());
}

TEST_F(ConsumerSelectionTest, LimitsTheRateByTheSlotsTimeWhenTheDescriptorHasNone) {
  attach_consumer({.start = StartAt::oldest, .max_rate_hz = 10});
  transport::loopback::drop_next(bus_, 1100, 4);  // found in the ring later, so without a descriptor
  for (std::uint64_t i = 0; i < 4; ++i) publish_at(i, second + static_cast<Nanos>(i) * 60 * ms);
  auto late = join({.start = StartAt::oldest, .max_rate_hz = 10});
  EXPECT_EQ(poll(late), (Seqs{0, 2}));
  EXPECT_EQ(late.stats()[LossCause::rate_limited], 2u);
}

// Whatever the stamps do, so many frames a second are delivered.
class ConsumerSelectionByTheClockTest : public ConsumerSelectionTest, public testing::WithParamInterface<Nanos> {};

TEST_P(ConsumerSelectionByTheClockTest, HoldsTheRateWhenTimeStampsAreNoClock) {
  constexpr int wanted = 20;
  attach_consumer({.max_rate_hz = 200});
  const Nanos started = monotonic_now();
  int count = 0;
  for (std::uint64_t i = 0; count < wanted && monotonic_now() - started < 30 * second; ++i) {
    publish_at(i, 7'000 * second + static_cast<Nanos>(i) * GetParam());
    count += static_cast<int>(poll().size());
  }
  EXPECT_EQ(count, wanted);
  EXPECT_GE(monotonic_now() - started, (wanted - 2) * 5 * ms) << "faster than the limit";
  EXPECT_GT(consumer->stats()[LossCause::rate_limited], 0u);
  expect_balance(consumer->stats());
}

INSTANTIATE_TEST_SUITE_P(StandingStillAndGoingBackwards, ConsumerSelectionByTheClockTest, testing::Values(0, -1, -ms));

TEST_F(ConsumerSelectionTest, GoesOverToARateLimitAndBackAsASupervisorSays) {
  attach_consumer({.max_rate_hz = 1, .mode = ConsumerMode::stream});
  publish_at(0, second);
  publish_at(1, second + ms);
  EXPECT_EQ(poll(), (Seqs{0, 1}));
  say(config(protocol::Mode::rate_limited));
  EXPECT_EQ(count(EventKind::configured), 1);
  EXPECT_EQ(consumer->terms().mode, ConsumerMode::rate_limited);
  for (std::uint64_t i = 2; i < 5; ++i) publish_at(i, second + static_cast<Nanos>(i) * ms);
  EXPECT_EQ(poll(), (Seqs{2}));
  EXPECT_EQ(last_qos().mode, protocol::Mode::rate_limited);
  EXPECT_EQ(driver->hellos.back().mode, protocol::Mode::rate_limited);
  say(config(protocol::Mode::stream));
  publish_at(5, second + 5 * ms);
  EXPECT_EQ(poll(), (Seqs{5}));
  expect_balance(consumer->stats());
}

TEST_F(ConsumerSelectionTest, StopsReadingSharedMemoryWhenToldToAndSaysWhereToGo) {
  attach_consumer({});
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  auto away = config(protocol::Mode::stream, false);
  away.payload_fallback_uri = "aeron:udp?endpoint=10.0.0.1:4711";
  say(away);
  ASSERT_NE(last(EventKind::configured), nullptr);
  EXPECT_NE(last(EventKind::configured)->message.find("10.0.0.1:4711"), std::string::npos);
  EXPECT_FALSE(consumer->terms().use_shm);
  EXPECT_EQ(consumer->terms().payload_fallback_uri, "aeron:udp?endpoint=10.0.0.1:4711");
  publish(1);
  publish(2);
  EXPECT_EQ(poll(), (Seqs{}));
  EXPECT_EQ(consumer->stats()[LossCause::unmapped], 2u);
  run(client, 1100 * ms);
  EXPECT_FALSE(driver->hellos.back().supports_shm);
  say(config(protocol::Mode::stream, true));
  publish(3);
  EXPECT_EQ(poll(), (Seqs{3}));
  expect_balance(consumer->stats());
}

TEST_F(ConsumerSelectionTest, IgnoresAConfigForSomebodyElse) {
  attach_consumer({});
  say(config(protocol::Mode::rate_limited, false, reader_id + 1));
  auto other_stream = config(protocol::Mode::rate_limited, false);
  other_stream.stream_id = 6;
  say(other_stream);
  EXPECT_EQ(consumer->terms(), ConsumerTerms{});
  EXPECT_EQ(count(EventKind::configured), 0);
  EXPECT_EQ(consumer->stats().configs_refused, 0u);
}

TEST_F(ConsumerSelectionTest, CountsHostileConfigsAndTellsOfThemNowAndThen) {
  attach_consumer({});
  auto hostile = config(protocol::Mode::rate_limited, false);
  hostile.descriptor_stream_id = 31000;
  hostile.descriptor_channel = "aeron:udp?endpoint=10.6.6.6:1";
  const int before = count(EventKind::log);
  for (int i = 0; i < 500; ++i) driver->send(hostile);
  run(client, 100 * ms);
  EXPECT_EQ(consumer->stats().configs_refused, 500u);
  EXPECT_EQ(count(EventKind::log), before + 1);
  EXPECT_EQ(consumer->terms(), ConsumerTerms{});
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
}

TEST_F(ConsumerSelectionTest, SaysHelloAsOftenAsItIsAskedTo) {
  attach_consumer({.hello_interval_ns = 100 * ms});
  const auto before = driver->hellos.size();
  run(client, second);
  EXPECT_GE(driver->hellos.size() - before, 9u);
  EXPECT_LE(driver->hellos.size() - before, 11u);
}

TEST_F(ConsumerSelectionTest, AsksTheDriverForHugepages) {
  attach_consumer({.require_hugepages = true});
  EXPECT_EQ(driver->attaches.front().require_hugepages, protocol::HugepagesPolicy::hugepages);
  EXPECT_EQ(driver->attaches.back().require_hugepages, protocol::HugepagesPolicy::unspecified) << "the producer's";
}

TEST_F(ConsumerSelectionTest, RefusesWishesThatMeanNothing) {
  EXPECT_EQ(client.attach_consumer({.stream_id = 5, .decimation = 0}).error().code, ErrorCode::invalid_argument);
  for (const double rate : {-0.5, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(client.attach_consumer({.stream_id = 5, .max_rate_hz = rate}).error().code, ErrorCode::invalid_argument);
  }
  EXPECT_EQ(client.attach_consumer({.stream_id = 5, .hello_interval_ns = -1}).error().code,
            ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace tensorpool::detail
