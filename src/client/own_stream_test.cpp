// A consumer with a descriptor stream of its own, its producer, and a driver that grants it, over the twin.
#include <gtest/gtest.h>

#include <random>

#include "client/scripted_driver_test.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

constexpr std::int32_t shared_stream = 1100;
constexpr std::int32_t own_stream = 31000;

class OwnStreamTest : public StreamBench {
 protected:
  OwnStreamTest() { driver->own_stream = own_stream; }

  static ConsumerOptions wishes(double max_rate_hz = 0) {
    return {.client_id = reader_id, .max_rate_hz = max_rate_hz, .own_streams = true};
  }
  PublishStatus publish_next(std::size_t size = 100) {
    const std::uint64_t seq = producer->stats().next_seq;
    return producer->publish(TensorLayout::raw_bytes(static_cast<std::int32_t>(size)), pattern(size, seq),
                             {.timestamp_ns = now});
  }
  // A frame each step; what was delivered.
  Seqs flow(int frames, Nanos step = 10 * ms) {
    Seqs taken;
    for (int i = 0; i < frames; ++i) {
      run(client, step);
      publish_next();
      for (const std::uint64_t seq : poll()) taken.push_back(seq);
    }
    return taken;
  }
  // The shared stream brings nothing any more.
  void cut_shared_stream() { transport::loopback::drop_next(bus_, shared_stream, 1'000'000); }
  void mend_shared_stream() { transport::loopback::drop_next(bus_, shared_stream, 0); }
  void attach_to_own_stream(double max_rate_hz = 0) {
    attach({}, wishes(max_rate_hz));
    flow(150);
    ASSERT_EQ(consumer->terms().descriptor_stream_id, static_cast<std::uint32_t>(own_stream));
  }
  // Whoever listens on the consumer's own stream beside it.
  transport::Subscription watch() {
    watcher_.emplace(transport::Connection::open({.aeron_dir = bus_}).value());
    return watcher_->add_subscription("aeron:ipc?tether=false", own_stream).value();
  }
  bool is_served(transport::Subscription& watched) {
    watched.poll([](std::span<const std::byte>) {}, 1000);
    watcher_->do_work();
    return watched.is_connected();
  }

  std::optional<transport::Connection> watcher_;
};

TEST_F(OwnStreamTest, ChangesOverToItsOwnStreamWithoutLosingOrDoublingAFrame) {
  attach({}, wishes());
  const Seqs taken = flow(200);
  EXPECT_EQ(taken.size(), 200u);
  expect_consecutive(taken);
  EXPECT_EQ(consumer->terms().descriptor_stream_id, static_cast<std::uint32_t>(own_stream));
  cut_shared_stream();
  EXPECT_EQ(flow(50).size(), 50u) << "the shared stream is not needed any more";
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
  expect_balance(consumer->stats());
}

TEST_F(OwnStreamTest, ChangesOverWhileManyFramesWaitToBeRead) {
  attach({}, {.client_id = reader_id, .skip_threshold = 100, .own_streams = true});
  Seqs taken;
  for (int i = 0; i < 200; ++i) {
    run(client, 10 * ms);
    publish_next();
    publish_next();
    for (const std::uint64_t seq : poll(*consumer, i % 4 == 3 ? 16 : 1)) taken.push_back(seq);
  }
  for (const std::uint64_t seq : poll()) taken.push_back(seq);
  EXPECT_EQ(taken.size(), 400u);
  expect_consecutive(taken);
}

TEST_F(OwnStreamTest, IsPacedByTheProducerWhenItIsRateLimited) {
  attach_to_own_stream(10);
  cut_shared_stream();
  auto watched = watch();
  run(client, 10 * ms);
  watcher_->do_work();
  const auto before = consumer->stats();
  const Seqs taken = flow(500);  // 5 s at 100 Hz
  EXPECT_GE(taken.size(), 49u);
  EXPECT_LE(taken.size(), 51u);
  int sent = 0;
  while (watched.poll([&](std::span<const std::byte>) { ++sent; }, 64) > 0) {
  }
  EXPECT_GE(sent, 49);
  EXPECT_LE(sent, 51) << "what it does not want is not sent to it";
  const auto after = consumer->stats();
  EXPECT_EQ(after.lost_total() - before.lost_total(), after[LossCause::rate_limited] - before[LossCause::rate_limited]);
  EXPECT_EQ(after.last_seq - after.first_seq + 1, after.accounted);
  expect_balance(after);
}

TEST_F(OwnStreamTest, LeavesTheSharedStreamToTheOthersWhole) {
  attach({}, wishes(10));
  auto neighbour = join();
  Seqs taken;
  for (int i = 0; i < 300; ++i) {
    run(client, 10 * ms);
    publish_next();
    poll();
    for (const std::uint64_t seq : poll(neighbour)) taken.push_back(seq);
  }
  EXPECT_EQ(taken.size(), 300u);
  expect_consecutive(taken);
  EXPECT_EQ(neighbour.terms().descriptor_stream_id, 0u);
}

TEST_F(OwnStreamTest, StaysOnTheSharedStreamWhenItIsDeclined) {
  driver->own_stream = 0;
  attach({}, wishes());
  EXPECT_EQ(flow(200).size(), 200u);
  EXPECT_EQ(consumer->terms().descriptor_stream_id, 0u);
  ASSERT_EQ(count(EventKind::configured), 1);
  EXPECT_NE(last(EventKind::configured)->message.find("stays on the shared one"), std::string::npos);
}

TEST_F(OwnStreamTest, GoesBackToTheSharedStreamWhenItsOwnIsClosed) {
  attach_to_own_stream();
  driver->answers_hellos = false;
  // As if the driver had ended a lease of that consumer: its producer believes it, the consumer knows better.
  driver->send(protocol::ShmLeaseRevoked{static_cast<std::uint64_t>(now),
                                         4711,
                                         5,
                                         reader_id,
                                         protocol::Role::consumer,
                                         protocol::LeaseRevokeReason::expired,
                                         {}});
  Seqs taken = flow(100);
  EXPECT_GE(taken.size(), 98u);
  EXPECT_GE(flow(50).size(), 50u);
  driver->answers_hellos = true;
  flow(150);
  cut_shared_stream();
  EXPECT_EQ(flow(20).size(), 20u) << "and takes its own again as soon as it is there";
  expect_balance(consumer->stats());
}

TEST_F(OwnStreamTest, FollowsAProducerThatComesBackOrComesLater) {
  consumer.emplace(client.attach_consumer({.stream_id = 5, .client_id = reader_id, .own_streams = true}).value());
  run(client, 2 * second);
  producer.emplace(client.attach_producer({.stream_id = 5}).value());
  run(client, 10 * ms);
  EXPECT_EQ(flow(150).size(), 150u);
  cut_shared_stream();
  EXPECT_EQ(flow(20).size(), 20u);
  mend_shared_stream();
  driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::revoked);
  run(client, 500 * ms);
  ASSERT_TRUE(producer->attached());
  const Seqs taken = flow(150);
  EXPECT_EQ(taken.front(), 0u);
  expect_consecutive(taken);
  EXPECT_EQ(taken.size(), 150u);
  cut_shared_stream();
  EXPECT_EQ(flow(20).size(), 20u);
  expect_balance(consumer->stats());
}

// Found by the simulation, seed 539.
TEST_F(OwnStreamTest, ReadsAnEpochThoughItCouldNotSubscribeWhenThatWasGranted) {
  attach_to_own_stream();
  driver->refuse_consumers_with = "later";
  driver->revoke(driver->lease_of(protocol::Role::consumer), protocol::LeaseRevokeReason::revoked);
  run(client, 2 * second);
  driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::revoked);
  for (int i = 0; i < 1000 && driver->lease_of(protocol::Role::producer) == 0; ++i) run(client, ms);
  ASSERT_EQ(driver->lease_of(protocol::Role::consumer), 0u);
  driver->refuse_consumers_with.clear();
  transport::loopback::time_out_next_adds(bus_, 1);
  run(client, 5 * second);  // two pauses of up to two
  ASSERT_TRUE(producer->attached() && consumer->attached());
  EXPECT_EQ(count(EventKind::mapping_failed), 1);
  EXPECT_EQ(flow(20).size(), 20u);
}

TEST_F(OwnStreamTest, IsClosedWhenTheConsumerLeaves) {
  attach_to_own_stream();
  auto watched = watch();
  EXPECT_TRUE(is_served(watched));
  consumer.reset();
  run(client, 50 * ms);
  publish_next();
  run(client, 10 * ms);
  EXPECT_FALSE(is_served(watched));
}

TEST_F(OwnStreamTest, IsClosedWhenTheConsumerFallsSilent) {
  attach_to_own_stream();
  auto watched = watch();
  EXPECT_TRUE(is_served(watched));
  // Nobody hears of it any more, as if its process had been killed and the driver with it.
  transport::loopback::drop_next(bus_, 1000, 1'000'000);
  transport::loopback::drop_next(bus_, 1200, 1'000'000);
  run(client, 4 * second);
  publish_next();
  EXPECT_TRUE(is_served(watched));
  run(client, 1500 * ms);
  publish_next();
  run(client, 10 * ms);
  EXPECT_FALSE(is_served(watched));
}

TEST_F(OwnStreamTest, IsFullForItsOwnConsumerAloneWhenThatDoesNotRead) {
  transport::loopback::set_window(bus_, own_stream, 4096);
  attach({}, wishes());
  auto neighbour = join();
  Seqs taken;
  for (int i = 0; i < 400; ++i) {
    run(client, 10 * ms);
    EXPECT_EQ(publish_next(), PublishStatus::ok);
    if (i < 150) poll();
    for (const std::uint64_t seq : poll(neighbour)) taken.push_back(seq);
  }
  EXPECT_EQ(taken.size(), 400u);
  EXPECT_GT(producer->stats().own_streams_full, 0u);
  EXPECT_EQ(producer->stats().descriptors_dropped, 0u);
  flow(50);
  expect_balance(consumer->stats());
  EXPECT_EQ(consumer->stats().last_seq + 1, producer->stats().next_seq);
}

TEST_F(OwnStreamTest, IsNotTurnedByForgedDescriptorsOnIt) {
  attach_to_own_stream();
  watcher_.emplace(transport::Connection::open({.aeron_dir = bus_}).value());
  auto forger = watcher_->add_publication("aeron:ipc", own_stream).value();
  run(client, 5 * ms);
  protocol::FrameDescriptor forged;
  forged.stream_id = 5;
  forged.epoch = consumer->stats().epoch;
  forged.seq = std::uint64_t{1} << 60;
  std::vector<std::byte> bytes(protocol::encoded_length(forged));
  ASSERT_NE(protocol::encode(forged, std::span(bytes)), 0u);
  ASSERT_EQ(forger.offer(bytes), transport::OfferResult::ok);
  ASSERT_EQ(forger.offer(pattern(48, 1)), transport::OfferResult::ok);
  EXPECT_EQ(flow(20).size(), 20u);
  EXPECT_EQ(consumer->stats().malformed, 2u);
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
}

// Progress on a control stream of its own.
class OwnControlTest : public OwnStreamTest {
 protected:
  OwnControlTest() { driver->own_control = own_control; }

  static TensorLayout rows() {
    auto layout = TensorLayout::row_major(Dtype::uint8, {10, 100});
    layout.progress_unit = ProgressUnit::rows;
    layout.progress_stride_bytes = 100;
    return layout;
  }
  void attach_for_progress() {
    ConsumerOptions wanted = wishes();
    wanted.progress = ProgressHints{.interval_us = 0, .bytes_delta = 0};
    attach({.progress_interval_ns = 0, .progress_bytes_delta = 0}, wanted);
    flow(150);
    hear();
  }
  std::vector<std::size_t> hear() {
    std::vector<std::size_t> bytes;
    while (consumer->poll_progress([&](const PartialFrame& frame) { bytes.push_back(frame.bytes_filled()); }) > 0) {
    }
    return bytes;
  }
  // A frame by thirds, and what was heard of it.
  std::vector<std::size_t> show_a_frame() {
    auto claimed = producer->claim(1000, rows());
    EXPECT_TRUE(claimed);
    const auto content = pattern(1000, claimed->seq());
    std::copy(content.begin(), content.end(), claimed->payload().begin());
    for (const std::size_t bytes : {300U, 600U}) claimed->progress(bytes);
    EXPECT_TRUE(is_committed(std::move(*claimed).commit(rows())));
    return hear();
  }
  void cut_shared_control_stream() { transport::loopback::drop_next(bus_, 1000, 1'000'000); }

  static constexpr std::int32_t own_control = 32000;
  const std::vector<std::size_t> whole{0, 300, 600, 1000};
};

TEST_F(OwnControlTest, BringsProgressWithoutTheSharedStream) {
  attach_for_progress();
  EXPECT_EQ(consumer->terms().control_stream_id, static_cast<std::uint32_t>(own_control));
  EXPECT_EQ(consumer->terms().descriptor_stream_id, static_cast<std::uint32_t>(own_stream));
  cut_shared_control_stream();
  EXPECT_EQ(show_a_frame(), whole);
  EXPECT_EQ(consumer->stats().progress.not_newer, 0u);
  EXPECT_NE(last(EventKind::configured)->message.find("control stream 32000 of its own"), std::string::npos);
}

TEST_F(OwnControlTest, IsNotAskedForWithoutProgress) {
  attach_to_own_stream();
  EXPECT_EQ(driver->hellos.back().control_stream_id, 0u);
  EXPECT_EQ(consumer->terms().control_stream_id, 0u);
}

TEST_F(OwnControlTest, IsLeftForTheSharedOneWhenItIsDeclinedOrClosed) {
  driver->own_control = 0;
  attach_for_progress();
  EXPECT_EQ(consumer->terms().control_stream_id, 0u);
  EXPECT_EQ(show_a_frame(), whole);
  driver->own_control = own_control;
  flow(150);
  EXPECT_EQ(consumer->terms().control_stream_id, static_cast<std::uint32_t>(own_control));
  hear();
  EXPECT_EQ(show_a_frame(), whole);
  // The producer closes it: it believes that the consumer's lease ended.
  driver->answers_hellos = false;
  driver->send(protocol::ShmLeaseRevoked{static_cast<std::uint64_t>(now),
                                         4711,
                                         5,
                                         reader_id,
                                         protocol::Role::consumer,
                                         protocol::LeaseRevokeReason::expired,
                                         {}});
  run(client, 100 * ms);
  show_a_frame();  // it goes with the next frame
  run(client, 10 * ms);
  hear();
  EXPECT_EQ(show_a_frame(), whole);
}

TEST_F(OwnControlTest, LeavesTheSharedStreamToTheOthersWhole) {
  attach_for_progress();
  ConsumerOptions wanted;
  wanted.progress = ProgressHints{.interval_us = 0, .bytes_delta = 0};
  auto neighbour = join(wanted);
  run(client, 50 * ms);
  show_a_frame();
  int heard = 0;
  neighbour.poll_progress([&](const PartialFrame&) { ++heard; });
  EXPECT_EQ(heard, 4);
  EXPECT_EQ(neighbour.terms().control_stream_id, 0u);
}

// Consumers that ask, vanish and come back: a thousand lives leave nothing at the producer.
TEST_F(OwnControlTest, LeavesNothingOfConsumersThatComeAndGo) {
  attach({}, {});
  transport::loopback::Resources before;
  for (int life = 0; life < 1001; ++life) {
    ConsumerOptions wanted = wishes();
    wanted.progress = ProgressHints{};
    auto guest = join(wanted);
    run(client, 5 * ms);
    ASSERT_EQ(guest.terms().descriptor_stream_id, static_cast<std::uint32_t>(own_stream)) << life;
    ASSERT_EQ(guest.terms().control_stream_id, static_cast<std::uint32_t>(own_control)) << life;
    publish_next();
    poll(guest);
    if (life > 0) continue;
    { const auto gone = std::move(guest); }  // the first one makes the producer's publication for progress
    run(client, 100 * ms);
    publish_next();
    run(client, 100 * ms);
    before = transport::loopback::resources_of(bus_);
  }
  run(client, 100 * ms);
  publish_next();
  poll();
  run(client, 100 * ms);
  EXPECT_EQ(transport::loopback::resources_of(bus_), before);
}

// Whatever happens to either stream, to the leases and to the mode, each sequence has one fate.
class OwnStreamBalance : public OwnStreamTest, public testing::WithParamInterface<unsigned> {};

TEST_P(OwnStreamBalance, HoldsUnderRandomDropsRevokesModesAndEpochs) {
  std::minstd_rand random(GetParam());
  ConsumerOptions wanted = wishes(random() % 2 == 0 ? 20 : 0);
  wanted.decimation = 1 + static_cast<std::uint32_t>(random() % 3);
  wanted.start = random() % 2 == 0 ? StartAt::oldest : StartAt::latest;
  attach({}, wanted);
  std::uint64_t delivered = consumer->stats().delivered;
  std::uint64_t epoch = 0;
  std::uint64_t newest = 0;
  for (int step = 0; step < 2000; ++step) {
    switch (random() % 64) {
      case 0:
        transport::loopback::drop_next(bus_, shared_stream, static_cast<int>(random() % 4));
        break;
      case 1:
        transport::loopback::drop_next(bus_, own_stream, static_cast<int>(random() % 4));
        break;
      case 2:
        if (random() % 4 == 0) {
          driver->send(protocol::ShmLeaseRevoked{static_cast<std::uint64_t>(now),
                                                 4711,
                                                 5,
                                                 reader_id,
                                                 protocol::Role::consumer,
                                                 protocol::LeaseRevokeReason::expired,
                                                 {}});
        }
        break;
      case 3:
        if (random() % 4 == 0)
          driver->revoke(driver->lease_of(random() % 2 == 0 ? protocol::Role::producer : protocol::Role::consumer),
                         protocol::LeaseRevokeReason::revoked);
        run(client, 300 * ms);
        break;
      case 4: {
        auto config = driver->config_for(driver->hellos.back());
        config.descriptor_stream_id = 0;
        config.descriptor_channel.clear();
        config.mode = random() % 2 == 0 ? protocol::Mode::rate_limited : protocol::Mode::stream;
        driver->send(config);
        break;
      }
      case 5:
        if (producer->attached()) static_cast<void>(producer->claim(100));
        break;
      default:
        break;
    }
    run(client, static_cast<Nanos>(1 + random() % 10) * ms);
    for (auto frames = random() % 3; frames > 0; --frames) static_cast<void>(publish_next());
    if (random() % 4 == 0) continue;
    consumer->poll(
        [&](const Frame& frame) {
          EXPECT_TRUE(frame.epoch() > epoch || (frame.epoch() == epoch && frame.seq() > newest));
          epoch = frame.epoch();
          newest = frame.seq();
          ++delivered;
        },
        1 + static_cast<int>(random() % 16));
    expect_balance(consumer->stats());
  }
  EXPECT_EQ(consumer->stats().delivered, delivered);
  EXPECT_EQ(consumer->stats()[LossCause::invalid_header], 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, OwnStreamBalance, testing::Range(1u, 25u));

TEST_F(OwnStreamTest, IsPacedByTheClockWhenTimeStampsStandStill) {
  constexpr int wanted = 20;
  attach_to_own_stream(200);
  cut_shared_stream();
  const Nanos stamp = now;
  const Nanos started = monotonic_now();
  int count = 0;
  while (count < wanted && monotonic_now() - started < 30 * second) {
    const std::uint64_t seq = producer->stats().next_seq;
    producer->publish(TensorLayout::raw_bytes(100), pattern(100, seq), {.timestamp_ns = stamp});
    count += static_cast<int>(poll().size());
  }
  EXPECT_EQ(count, wanted);
  EXPECT_GE(monotonic_now() - started, (wanted - 3) * 5 * ms) << "faster than the limit";
  expect_balance(consumer->stats());
}

}  // namespace
}  // namespace tensorpool::detail
