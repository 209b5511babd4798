#include "tensorpool/consumer.hpp"

#include <gtest/gtest.h>

#include <random>

#include "client/scripted_driver_test.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

constexpr std::int32_t descriptor_stream = 1100;

class ConsumerTest : public StreamBench {
 protected:
  // Says something on the descriptor stream that no producer of ours would say.
  template <class Bytes>
  void inject(const Bytes& bytes) {
    if (!injector_) {
      connection_.emplace(transport::Connection::open({.aeron_dir = bus_}).value());
      injector_.emplace(connection_->add_publication("aeron:ipc", descriptor_stream).value());
      run(client, 5 * ms);
    }
    ASSERT_EQ(injector_->offer(bytes), transport::OfferResult::ok);
  }
  void inject_descriptor(std::uint64_t epoch, std::uint64_t seq, std::uint32_t stream = 5) {
    protocol::FrameDescriptor descriptor;
    descriptor.stream_id = stream;
    descriptor.epoch = epoch;
    descriptor.seq = seq;
    std::vector<std::byte> bytes(protocol::encoded_length(descriptor));
    ASSERT_NE(protocol::encode(descriptor, std::span(bytes)), 0u);
    inject(bytes);
  }

  // The producer loses its lease and comes back in a new epoch.
  void restart_producer() {
    driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::revoked);
    run(client, 500 * ms);
    ASSERT_TRUE(producer->attached());
  }

  std::optional<transport::Connection> connection_;
  std::optional<transport::Publication> injector_;
};

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

TEST_F(ConsumerTest, ReadsNothingWhileUnattachedAndCountsWhatPassedBy) {
  attach();
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  driver->refuse_with = "later";
  driver->revoke(driver->lease_of(protocol::Role::consumer), protocol::LeaseRevokeReason::revoked);
  run(client, 5 * ms);
  publish(1);
  EXPECT_EQ(poll(), (Seqs{}));
  EXPECT_EQ(consumer->stats()[LossCause::unmapped], 1u);
  driver->refuse_with.clear();
  run(client, 5 * nanos_per_second);
  ASSERT_TRUE(consumer->attached());
  publish(2);
  EXPECT_EQ(poll(), (Seqs{2}));
  EXPECT_EQ(consumer->stats().accounted, 3u);
  expect_balance(consumer->stats());
}

// spec: I5; the last descriptors of an epoch may never come, and nothing comes after them.
TEST_F(ConsumerTest, CountsAtTheEndOfAnEpochWhatItNeverHeardOf) {
  attach();
  publish(0);
  publish(1);
  EXPECT_EQ(poll(), (Seqs{0, 1}));
  transport::loopback::force_offer_result(bus_, descriptor_stream, transport::OfferResult::back_pressured, 2);
  publish(2);
  publish(3);
  auto open = claim();
  publish(5);  // held back behind the claim
  producer.reset();
  run(client, 20 * ms);
  EXPECT_EQ(poll(), (Seqs{}));
  const auto stats = consumer->stats();
  EXPECT_EQ(stats[LossCause::gap], 3u);
  EXPECT_EQ(stats.abandoned, 1u);
  EXPECT_EQ(stats.accounted, 6u);
  expect_balance(stats);
}

TEST_F(ConsumerTest, CountsTheClaimsThatWereGivenUpLastInAnEpoch) {
  attach();
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  { const auto first = claim(), next = claim(); }
  producer.reset();
  run(client, 20 * ms);
  EXPECT_EQ(poll(), (Seqs{}));
  EXPECT_EQ(consumer->stats().abandoned, 2u);
  EXPECT_EQ(consumer->stats().accounted, 3u);
}

TEST_F(ConsumerTest, CountsAnEpochThatEndedBeforeItsTurnCame) {
  attach();
  for (std::uint64_t i = 0; i < 3; ++i) publish(i);
  EXPECT_EQ(poll(*consumer, 1), (Seqs{0}));
  restart_producer();
  for (std::uint64_t i = 0; i < 3; ++i) publish(i);
  EXPECT_EQ(poll(*consumer, 0), (Seqs{}));  // taken, but the first epoch is not done with
  publish(3);
  transport::loopback::drop_next(bus_, descriptor_stream, 1);
  publish(4);
  restart_producer();
  publish(0);
  EXPECT_EQ(poll(), (Seqs{1, 2, 0}));
  const auto stats = consumer->stats();
  EXPECT_EQ(stats[LossCause::skipped], 4u);
  EXPECT_EQ(stats[LossCause::gap], 1u);
  EXPECT_EQ(stats.accounted, 9u);
  EXPECT_EQ(stats.remaps, 2u);
  EXPECT_EQ(stats.wrong_epoch, 0u);
  expect_balance(stats);
}

TEST_F(ConsumerTest, CountsAnEpochThatCameAndWentBetweenTwoPolls) {
  attach();
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  restart_producer();
  for (std::uint64_t i = 0; i < 12; ++i) publish(i);  // more than the ring has slots
  { const auto dropped = claim(); }
  restart_producer();
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  const auto stats = consumer->stats();
  EXPECT_EQ(stats[LossCause::skipped], 12u);
  EXPECT_EQ(stats.abandoned, 1u);
  EXPECT_EQ(stats.accounted, 15u);
  EXPECT_EQ(stats.remaps, 2u);
  expect_balance(stats);
}

// I5: whatever happens, the consumer's books balance against the producer's, sequence by sequence.
class Balance : public ConsumerTest, public testing::WithParamInterface<int> {};

TEST_P(Balance, HoldsUnderRandomDropsClaimsStallsAndEpochs) {
  std::mt19937_64 random(static_cast<std::uint64_t>(GetParam()));
  const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
  attach({}, {.start = chance(50) ? StartAt::latest : StartAt::oldest,
              .skip_threshold = static_cast<std::uint32_t>(random() % 6)});
  std::vector<SlotClaim> claims;
  std::uint64_t delivered = 0;
  std::uint64_t last_epoch = 0;
  std::uint64_t last_seq = 0;
  bool polled = true;  // in the producer's epoch
  std::uint64_t ended_epochs =
      0;  // sequences from the consumer's first to the producer's last, of epochs that are over
  const auto read = [&](int limit) {
    polled = true;
    consumer->poll(
        [&](const Frame& frame) {
          EXPECT_GE(frame.epoch(), last_epoch);
          EXPECT_TRUE(frame.epoch() > last_epoch || frame.seq() > last_seq || delivered == 0);
          last_epoch = frame.epoch();
          last_seq = frame.seq();
          std::vector<std::byte> bytes(frame.size_bytes());
          if (!frame.copy_to(bytes)) return;
          EXPECT_EQ(bytes, pattern(bytes.size(), frame.seq()));
          ++delivered;
        },
        limit);
    expect_balance(consumer->stats());
  };
  for (int step = 0; step < 600; ++step) {
    if (chance(3)) transport::loopback::drop_next(bus_, descriptor_stream, 1 + static_cast<int>(random() % 12));
    if (chance(3)) transport::loopback::duplicate_next(bus_, descriptor_stream, 1);
    if (chance(3)) {
      transport::loopback::force_offer_result(bus_, descriptor_stream, transport::OfferResult::back_pressured, 1);
    }
    if (chance(60)) publish(producer->stats().next_seq);
    if (chance(20)) {
      if (auto claimed = producer->claim(100)) claims.push_back(*std::move(claimed));
    }
    if (!claims.empty() && chance(40)) {
      const std::size_t pick = random() % claims.size();
      if (chance(70)) commit(std::move(claims[pick]));
      claims.erase(claims.begin() + static_cast<std::ptrdiff_t>(pick));
    }
    if (chance(40)) read(1 + static_cast<int>(random() % 5));
    if (chance(20)) client.do_work(tick());
    if (chance(1)) {
      std::uint64_t first = 0;  // for an epoch that passes by unseen
      if (polled) {
        read(1000);
        const auto stats = consumer->stats();
        const bool any = stats.accounted != ended_epochs;
        first = any ? stats.first_seq : producer->stats().next_seq;
        // What the consumer will not hear of before the epoch ends.
        if (any) transport::loopback::force_offer_result(bus_, descriptor_stream, transport::OfferResult::closed, 3);
        for (int i = 0; any && i < 3; ++i) publish(producer->stats().next_seq);
        transport::loopback::force_offer_result(bus_, descriptor_stream, transport::OfferResult::ok, 0);
      }
      ended_epochs += producer->stats().next_seq - first;
      driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::revoked);
      run(client, 300 * ms);
      polled = false;
    }
  }
  claims.clear();
  run(client, 500 * ms);
  ASSERT_TRUE(producer->attached() && consumer->attached());
  transport::loopback::drop_next(bus_, descriptor_stream, 0);
  publish(producer->stats().next_seq);
  publish(producer->stats().next_seq);
  read(1000);
  const auto stats = consumer->stats();
  EXPECT_EQ(stats.delivered, delivered);
  EXPECT_EQ(stats.epoch, producer->stats().epoch);
  EXPECT_EQ(stats.last_seq + 1, producer->stats().next_seq);
  EXPECT_EQ(stats.accounted, ended_epochs + stats.last_seq + 1 - stats.first_seq);
  EXPECT_EQ(stats[LossCause::not_committed] + stats[LossCause::invalid_header] + stats.malformed, 0u);
}
INSTANTIATE_TEST_SUITE_P(Seeds, Balance, testing::Range(1, 41));

}  // namespace
}  // namespace tensorpool::detail
