// The books of a consumer where an epoch ends, begins, or passes by.
#include <gtest/gtest.h>

#include <random>

#include "client/consumer_bench_test.hpp"

namespace tensorpool::detail {
namespace {

class ConsumerEpochs : public ConsumerBench {};

TEST_F(ConsumerEpochs, ReadsNothingWhileUnattachedAndCountsWhatPassedBy) {
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
TEST_F(ConsumerEpochs, CountsAtTheEndOfAnEpochWhatItNeverHeardOf) {
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

TEST_F(ConsumerEpochs, CountsTheClaimsThatWereGivenUpLastInAnEpoch) {
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

TEST_F(ConsumerEpochs, CountsAnEpochThatEndedBeforeItsTurnCame) {
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

TEST_F(ConsumerEpochs, CountsAnEpochThatCameAndWentBetweenTwoPolls) {
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

// Found by the simulation, seed 814.
TEST_F(ConsumerEpochs, KeepsOneBookOfAnEpochThatIsMappedAgainBeforeItsTurnCame) {
  ClientOptions elsewhere = options();
  elsewhere.name = "elsewhere";
  Client reader = Client::connect(elsewhere).value();
  consumer.emplace(reader.attach_consumer({.stream_id = 5}).value());
  producer.emplace(client.attach_producer({.stream_id = 5}).value());
  run(client, reader, 10 * ms);
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::revoked);
  run(client, reader, 300 * ms);
  ASSERT_TRUE(producer->attached());
  for (std::uint64_t i = 0; i < 3; ++i) publish(i);
  EXPECT_EQ(poll(*consumer, 0), (Seqs{}));  // taken, but it is not its turn yet
  transport::loopback::cut_connections(bus_, "elsewhere");
  run(client, reader, 2 * nanos_per_second);
  ASSERT_TRUE(consumer->attached());
  publish(3);
  EXPECT_EQ(poll(), (Seqs{0, 1, 2, 3}));
  const auto stats = consumer->stats();
  EXPECT_EQ(stats.first_seq, 0u);
  EXPECT_EQ(stats.last_seq, 3u);
  EXPECT_EQ(stats.accounted, 5u);
  EXPECT_EQ(stats.remaps, 1u);
  expect_balance(stats);
  consumer.reset();
}

// I5: whatever happens, the consumer's books balance against the producer's, sequence by sequence.
class Balance : public ConsumerEpochs, public testing::WithParamInterface<int> {};

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
