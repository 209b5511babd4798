#include "tensorpool/consumer.hpp"

#include <gtest/gtest.h>

#include "client/consumer_bench_test.hpp"

namespace tensorpool::detail {
namespace {

class ConsumerTest : public ConsumerBench {};

TEST_F(ConsumerTest, GivesALateJoinerTheNewestFrameAtOnceAndOnlyOnce) {
  attach();
  for (std::uint64_t i = 0; i < 5; ++i) publish(i);
  auto late = join();
  EXPECT_EQ(poll(late), (Seqs{4}));
  EXPECT_EQ(poll(late), (Seqs{}));
  run(client, 2 * ms);
  publish(5);
  EXPECT_EQ(poll(late), (Seqs{5}));
  EXPECT_EQ(late.stats().first_seq, 4u);
  EXPECT_EQ(late.stats().accounted, 2u);
}

TEST_F(ConsumerTest, DoesNotDeliverAFrameTwiceWhenItsDescriptorArrivesAfterIt) {
  attach();
  publish(0);
  transport::loopback::set_replay(bus_, descriptor_stream, true);
  auto late = join();
  run(client, 2 * ms);
  EXPECT_EQ(poll(late), (Seqs{0}));
  EXPECT_EQ(poll(late), (Seqs{}));
  EXPECT_EQ(late.stats().delivered, 1u);
}

TEST_F(ConsumerTest, BeginsWithTheNextFrameOrTheOldestIfAskedTo) {
  attach();
  for (std::uint64_t i = 0; i < 12; ++i) publish(i);
  auto next = join({.start = StartAt::next});
  auto oldest = join({.start = StartAt::oldest});
  EXPECT_EQ(poll(next), (Seqs{}));
  EXPECT_EQ(poll(oldest), (Seqs{7, 8, 9, 10, 11}));  // within the skip threshold of half a ring
  run(client, 2 * ms);
  publish(12);
  EXPECT_EQ(poll(next), (Seqs{12}));
  EXPECT_EQ(next.stats().first_seq, 12u);
  EXPECT_EQ(poll(oldest), (Seqs{12}));
  EXPECT_EQ(oldest.stats().lost_total(), 0u);
}

TEST_F(ConsumerTest, BeginsWithTheOldestFrameAlthoughDescriptorsAreWaiting) {
  attach();
  for (std::uint64_t i = 0; i < 3; ++i) publish(i);
  auto late = join({.start = StartAt::oldest});
  run(client, 2 * ms);
  publish(3);
  EXPECT_EQ(poll(late), (Seqs{0, 1, 2, 3}));
  EXPECT_EQ(late.stats().first_seq, 0u);
  EXPECT_EQ(late.stats().lost_total(), 0u);
}

TEST_F(ConsumerTest, BeginsANewEpochWithItsOldestFrame) {
  attach({}, {.start = StartAt::oldest});
  publish(0);
  EXPECT_EQ(poll(*consumer, 0), (Seqs{}));
  restart_producer();
  transport::loopback::drop_next(bus_, descriptor_stream, 2);  // as if it had mapped the epoch only after them
  for (std::uint64_t i = 0; i < 3; ++i) publish(i);
  EXPECT_EQ(poll(), (Seqs{0, 0, 1, 2}));
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
}

TEST_F(ConsumerTest, DoesNotSkipTheOldestFramesThatItJustFound) {
  attach();
  for (std::uint64_t i = 0; i < 12; ++i) publish(i);
  auto oldest = join({.start = StartAt::oldest});
  EXPECT_EQ(oldest.poll([](const Frame&) {}, 0), 0);
  run(client, 2 * ms);
  publish(12);
  EXPECT_EQ(poll(oldest), (Seqs{7, 8, 9, 10, 11, 12}));
  EXPECT_EQ(oldest.stats().lost_total(), 0u);
}

// spec: C3, performance 5.7
TEST_F(ConsumerTest, SkipsToTheNewestFrameWhenItLagsByMoreThanHalfTheRing) {
  attach();
  for (std::uint64_t i = 0; i < 5; ++i) publish(i);
  EXPECT_EQ(poll(), (Seqs{0, 1, 2, 3, 4}));
  for (std::uint64_t i = 5; i < 11; ++i) publish(i);
  EXPECT_EQ(poll(), (Seqs{10}));
  EXPECT_EQ(consumer->stats()[LossCause::skipped], 5u);
  for (std::uint64_t i = 11; i < 111; ++i) publish(i);
  EXPECT_EQ(poll(), (Seqs{110}));
  EXPECT_EQ(consumer->stats()[LossCause::skipped], 104u);
  expect_balance(consumer->stats());
}

TEST_F(ConsumerTest, TakesOnlyTheNewestFrameIfAskedTo) {
  attach({}, {.latest_only = true});
  for (std::uint64_t i = 0; i < 3; ++i) publish(i);
  EXPECT_EQ(poll(), (Seqs{2}));
  publish(3);
  EXPECT_EQ(poll(), (Seqs{3}));
  EXPECT_EQ(consumer->stats()[LossCause::skipped], 2u);
}

TEST_F(ConsumerTest, CapsTheSkipThresholdByTheOutstandingGap) {
  attach({}, {.skip_threshold = 4, .max_outstanding_seq_gap = 1});
  publish(0);
  publish(1);
  EXPECT_EQ(poll(), (Seqs{0, 1}));
  for (std::uint64_t i = 2; i < 5; ++i) publish(i);
  EXPECT_EQ(poll(), (Seqs{4}));
}

TEST_F(ConsumerTest, KeepsUpWithAProducerThatIsFasterThanItsCallback) {
  attach();
  std::uint64_t seq = 0;
  publish(seq++);
  std::uint64_t valid = 0;
  for (int i = 0; i < 200; ++i) {
    consumer->poll([&](const Frame& frame) {
      publish(seq++);
      publish(seq++);  // twice as fast as the reader
      if (frame.still_valid()) ++valid;
    });
  }
  const auto stats = consumer->stats();
  EXPECT_EQ(stats.delivered, valid);
  EXPECT_EQ(stats[LossCause::late] + stats[LossCause::overwritten], 0u);
  EXPECT_GT(stats[LossCause::skipped], 0u);
  expect_balance(stats);
}

TEST_F(ConsumerTest, PollsNoMoreFramesThanItIsAskedFor) {
  attach();
  for (std::uint64_t i = 0; i < 4; ++i) publish(i);
  EXPECT_EQ(poll(*consumer, 1), (Seqs{0}));
  EXPECT_EQ(consumer->stats().accounted, 1u);
  EXPECT_EQ(consumer->stats().last_seq, 0u);
  EXPECT_EQ(poll(*consumer, 0), (Seqs{}));
  EXPECT_EQ(poll(*consumer, 10), (Seqs{1, 2, 3}));
}

// spec: C2
TEST_F(ConsumerTest, CountsAFrameThatWasOverwrittenDuringTheCallbackAsLate) {
  attach();
  publish(0);
  int calls = 0;
  consumer->poll([&](const Frame& frame) {
    if (calls++ > 0) return;
    for (std::uint64_t i = 1; i <= 8; ++i) publish(i);
    EXPECT_FALSE(frame.still_valid());
    std::vector<std::byte> bytes(frame.size_bytes());
    EXPECT_EQ(frame.copy_to(bytes).error(), FrameLoss::overwritten);
    EXPECT_EQ(frame.read<std::byte>([](auto) { return 1; }).error(), FrameLoss::overwritten);
  });
  EXPECT_EQ(consumer->stats()[LossCause::late], 1u);
  expect_balance(consumer->stats());
}

TEST_F(ConsumerTest, CountsAnAcceptedCopyAsDeliveredWhateverComesAfter) {
  attach();
  publish(0);
  int calls = 0;
  consumer->poll([&](const Frame& frame) {
    if (calls++ > 0) return;
    std::vector<std::byte> bytes(frame.size_bytes());
    EXPECT_TRUE(frame.copy_to(bytes));
    for (std::uint64_t i = 1; i <= 8; ++i) publish(i);
  });
  EXPECT_EQ(consumer->stats()[LossCause::late], 0u);
  EXPECT_EQ(consumer->stats().delivered, 1u);
  EXPECT_EQ(poll(), (Seqs{8}));
}

TEST_F(ConsumerTest, TakesTheLatencyOfAFrameNowAndThen) {
  attach();
  const auto publish_at = [&](Nanos timestamp_ns) {
    run(client, 20 * ms);
    const std::uint64_t seq = producer->stats().next_seq;
    ASSERT_EQ(producer->publish(TensorLayout::raw_bytes(100), pattern(100, seq), {.timestamp_ns = timestamp_ns}),
              PublishStatus::ok);
    poll();
  };
  publish_at(now - 50 * ms);
  publish(1);
  poll();  // no time for another
  ConsumerStats stats = consumer->stats();
  EXPECT_EQ(stats.latency_samples, 1u);
  EXPECT_NEAR(static_cast<double>(stats.latency_sum_ns), 60e6, 15e6) << "of the turn before, 20 ms of turns later";
  publish_at(now - 50 * ms);
  EXPECT_EQ(consumer->stats().latency_samples, 2u);
  publish_at(now + 3600 * second);  // another clock's, as is the next
  publish_at(1);
  EXPECT_EQ(consumer->stats().latency_samples, 2u);
}

TEST_F(ConsumerTest, TellsThatABufferIsTooSmall) {
  attach();
  publish(0);
  consumer->poll([&](const Frame& frame) {
    std::vector<std::byte> small(frame.size_bytes() - 1);
    EXPECT_EQ(frame.copy_to(small).error(), FrameLoss::buffer_too_small);
    EXPECT_FALSE(to_string(FrameLoss::buffer_too_small).empty());
  });
  EXPECT_EQ(consumer->stats().delivered, 1u);  // it was whole all the time
}

TEST_F(ConsumerTest, IgnoresRepeatedAndLowerDescriptors) {
  attach();
  transport::loopback::duplicate_next(bus_, descriptor_stream, 3);
  for (std::uint64_t i = 0; i < 3; ++i) publish(i);
  EXPECT_EQ(poll(), (Seqs{0, 1, 2}));
  inject_descriptor(producer->stats().epoch, 1);
  EXPECT_EQ(poll(), (Seqs{}));
  EXPECT_EQ(consumer->stats().accounted, 3u);
}

TEST_F(ConsumerTest, DropsDescriptorsOfOtherEpochsAndStreamsWithoutUnmapping) {
  attach();
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  inject_descriptor(producer->stats().epoch + 1, 1);
  inject_descriptor(producer->stats().epoch, 7, 6);
  inject(pattern(48, 1));
  inject(pattern(3, 1));
  publish(1);
  EXPECT_EQ(poll(), (Seqs{1}));
  EXPECT_EQ(consumer->stats().wrong_epoch, 1u);
  EXPECT_EQ(consumer->stats().malformed, 2u);
  EXPECT_EQ(consumer->stats().accounted, 2u);
}

TEST_F(ConsumerTest, IsNotMovedByADescriptorThatTheRingBelies) {
  attach();
  for (std::uint64_t i = 0; i < 3; ++i) publish(i);
  EXPECT_EQ(poll(), (Seqs{0, 1, 2}));
  inject_descriptor(producer->stats().epoch, std::uint64_t{1} << 60);
  EXPECT_EQ(poll(), (Seqs{}));
  publish(3);
  EXPECT_EQ(poll(), (Seqs{3}));
  EXPECT_EQ(consumer->stats().malformed, 1u);
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
}

// A descriptor follows its commit, so a slot that still holds the lap before belies it.
TEST_F(ConsumerTest, IsNotMovedByADescriptorOfTheNextLap) {
  attach({}, {.skip_threshold = 100});
  for (std::uint64_t i = 0; i < 8; ++i) publish(i);
  EXPECT_EQ(poll(), (Seqs{0, 1, 2, 3, 4, 5, 6, 7}));
  inject_descriptor(producer->stats().epoch, 15);
  EXPECT_EQ(poll(), (Seqs{}));
  publish(8);
  EXPECT_EQ(poll(), (Seqs{8}));
  EXPECT_EQ(consumer->stats().malformed, 1u);
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
}

TEST_F(ConsumerTest, GivesUpNoWaitingFrameForADescriptorThatIsNoNews) {
  attach({}, {.skip_threshold = 100});
  for (std::uint64_t i = 0; i < 8; ++i) publish(i);
  EXPECT_EQ(poll(*consumer, 0), (Seqs{}));  // all eight wait
  inject_descriptor(producer->stats().epoch, 3);
  inject_descriptor(producer->stats().epoch, 1000);
  EXPECT_EQ(poll(), (Seqs{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
}

// What does not open costs no callback, and still must not keep poll from returning.
TEST_F(ConsumerTest, ReturnsFromAPollWhoseFramesDoNotOpen) {
  transport::loopback::set_window(bus_, descriptor_stream, std::size_t{64} << 20);
  attach({}, {.skip_threshold = 100});
  constexpr std::uint64_t flood = 100'000;
  for (std::uint64_t i = 0; i < flood; ++i) publish(0);
  EXPECT_EQ(consumer->poll([](const Frame&) {}, 1), 0);
  EXPECT_LT(consumer->stats().accounted, flood / 2);
  while (consumer->stats().accounted < flood) consumer->poll([](const Frame&) {});
  expect_balance(consumer->stats());
}

TEST_F(ConsumerTest, PollsNothingInsideItsOwnCallback) {
  attach();
  publish(0);
  publish(1);
  int inner = 0;
  EXPECT_EQ(consumer->poll([&](const Frame&) { inner += consumer->poll([](const Frame&) {}); }), 2);
  EXPECT_EQ(inner, 0);
  EXPECT_EQ(consumer->stats().delivered, 2u);
}

TEST_F(ConsumerTest, CountsADescriptorWhoseSlotIsNotCommitted) {
  attach();
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  auto open = claim();
  inject_descriptor(producer->stats().epoch, 1);
  EXPECT_EQ(poll(), (Seqs{}));
  EXPECT_EQ(consumer->stats()[LossCause::not_committed], 1u);
  commit(std::move(open));
  publish(2);
  EXPECT_EQ(poll(), (Seqs{2}));
  expect_balance(consumer->stats());
}

TEST_F(ConsumerTest, CountsABrokenSlotHeader) {
  attach();
  publish(0);
  auto regions = shm::RegionSet::map(driver->layout(5), shm::Access::read_write, shm::PathPolicy{{dir.path()}}).value();
  regions->header_words(0)[2] ^= 0xFFFF;  // pool id, offset
  EXPECT_EQ(poll(), (Seqs{}));
  EXPECT_EQ(consumer->stats()[LossCause::invalid_header], 1u);
}

TEST_F(ConsumerTest, CountsLostDescriptorsAsAGapOnce) {
  attach();
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  transport::loopback::drop_next(bus_, descriptor_stream, 3);
  for (std::uint64_t i = 1; i < 4; ++i) publish(i);
  EXPECT_EQ(poll(), (Seqs{}));
  publish(4);
  publish(5);
  EXPECT_EQ(poll(), (Seqs{4, 5}));
  EXPECT_EQ(consumer->stats()[LossCause::gap], 3u);
  EXPECT_EQ(consumer->stats().last_seq, 5u);
  expect_balance(consumer->stats());
}

// spec: C1, aeron 1.2: a stalled reader is evicted, rejoins and counts exactly what it missed.
TEST_F(ConsumerTest, CountsWhatItMissedAfterItFellOutOfTheStream) {
  transport::loopback::set_window(bus_, descriptor_stream, 8 * 96);
  attach();
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  for (std::uint64_t i = 1; i < 200; ++i) {
    EXPECT_TRUE(is_committed(publish(i)));
    client.do_work(tick());
  }
  run(client, 10 * ms);
  const auto before = consumer->stats();
  const auto seqs = poll();
  ASSERT_FALSE(seqs.empty());
  EXPECT_EQ(seqs.back(), 199u);  // the newest, although its descriptor was missed too
  const auto stats = consumer->stats();
  EXPECT_EQ(stats.last_seq, 199u);
  EXPECT_EQ(stats.accounted - before.accounted, 199u);
  publish(200);
  EXPECT_EQ(poll(), (Seqs{200}));
  expect_balance(consumer->stats());
  EXPECT_EQ(consumer->stats().accounted, 201u);
}

// Several cameras share one descriptor stream.
TEST_F(ConsumerTest, LosesNothingWhenAnotherCameraOfTheDescriptorStreamRestarts) {
  attach();
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  std::optional<Producer> other = client.attach_producer({.stream_id = 6}).value();
  run(client, 5 * ms);
  auto open = claim();
  FrameInfo info;
  info.trace_id = 77;
  producer->publish(TensorLayout::raw_bytes(100), pattern(100, 2), info);  // held back behind the claim
  other.reset();
  run(client, 100 * ms);
  other = client.attach_producer({.stream_id = 6}).value();
  run(client, 100 * ms);
  EXPECT_EQ(poll(), (Seqs{}));
  commit(std::move(open));
  Seqs seqs;
  consumer->poll([&](const Frame& frame) {
    seqs.push_back(frame.seq());
    if (frame.seq() == 2) {
      EXPECT_EQ(frame.trace_id(), 77u);
    }
  });
  EXPECT_EQ(seqs, (Seqs{1, 2}));
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
}

TEST_F(ConsumerTest, KeepsWhatAnOpenClaimHoldsBackWhenItFellOutOfTheStream) {
  transport::loopback::set_window(bus_, descriptor_stream, 8 * 96);
  attach({.min_readable_slots = 2});
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  for (std::uint64_t i = 1; i < 50; ++i) {
    publish(i);
    client.do_work(tick());
  }
  auto open = claim();
  publish(51);  // held back
  run(client, 10 * ms);
  EXPECT_EQ(poll(), (Seqs{49}));
  commit(std::move(open));
  EXPECT_EQ(poll(), (Seqs{50, 51}));
  EXPECT_EQ(consumer->stats().accounted, 52u);
  expect_balance(consumer->stats());
}

// A frame that was found in the ring before its descriptor came still carries what only the descriptor says.
TEST_F(ConsumerTest, GivesAFoundFrameWhatItsDescriptorSays) {
  attach();
  transport::loopback::set_replay(bus_, descriptor_stream, true);
  for (std::uint64_t i = 0; i < 3; ++i) {
    FrameInfo info;
    info.timestamp_ns = 1000 + static_cast<Nanos>(i);
    info.trace_id = 70 + i;
    producer->publish(TensorLayout::raw_bytes(100), pattern(100, i), info);
  }
  auto late = join({.start = StartAt::oldest});
  EXPECT_EQ(late.poll([](const Frame&) {}, 0), 0);
  run(client, 2 * ms);
  std::vector<std::optional<std::uint64_t>> traces;
  late.poll([&](const Frame& frame) { traces.push_back(frame.trace_id()); });
  EXPECT_EQ(traces, (std::vector<std::optional<std::uint64_t>>{70, 71, 72}));
  EXPECT_EQ(late.stats().accounted, 3u);
}

}  // namespace
}  // namespace tensorpool::detail
