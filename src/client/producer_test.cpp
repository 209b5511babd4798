#include "tensorpool/producer.hpp"

#include <gtest/gtest.h>

#include "client/scripted_driver_test.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

constexpr std::int32_t descriptor_stream = 1100;

class ProducerTest : public StreamBench {};

TEST_F(ProducerTest, TakesTheSmallestPoolThatFits) {
  attach();
  EXPECT_EQ(claim(1).pool_id(), 1u);
  EXPECT_EQ(claim(4096).pool_id(), 1u);
  const auto large = claim(4097);
  EXPECT_EQ(large.pool_id(), 2u);
  EXPECT_EQ(large.payload().size(), 16384u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(large.payload().data()) % 64, 0u);
}

TEST_F(ProducerTest, RefusesWhatNoPoolTakesAndStaysUsable) {
  attach();
  EXPECT_EQ(publish(0, 16385), PublishStatus::too_large);
  EXPECT_EQ(producer->claim(16385).error(), PublishStatus::too_large);
  EXPECT_EQ(producer->stats().too_large, 2u);
  EXPECT_EQ(producer->stats().next_seq, 0u);
  EXPECT_EQ(publish(0), PublishStatus::ok);
  EXPECT_EQ(poll(), (Seqs{0}));
}

TEST_F(ProducerTest, RefusesALayoutThatDoesNotFitThePayload) {
  attach();
  EXPECT_EQ(producer->publish(TensorLayout::raw_bytes(101), pattern(100, 0)), PublishStatus::invalid_layout);
  EXPECT_EQ(producer->stats().next_seq, 0u);
  auto claimed = claim(100);
  EXPECT_EQ(std::move(claimed).commit(TensorLayout::raw_bytes(100), 99, {}), PublishStatus::invalid_layout);
  EXPECT_EQ(producer->stats().abandoned, 1u);
  EXPECT_EQ(publish(1), PublishStatus::ok);
  EXPECT_EQ(poll(), (Seqs{1}));
}

TEST_F(ProducerTest, CarriesTimestampMetaVersionTraceIdAndLayout) {
  attach();
  const auto layout = TensorLayout::row_major(Dtype::uint16, {4, 8});
  FrameInfo info;
  info.timestamp_ns = 12345;
  info.meta_version = 3;
  info.trace_id = 99;
  EXPECT_EQ(producer->publish(layout, pattern(64, 0), info), PublishStatus::ok);
  EXPECT_EQ(publish(1), PublishStatus::ok);
  int frames = 0;
  consumer->poll([&](const Frame& frame) {
    if (frames++ == 0) {
      EXPECT_EQ(frame.timestamp_ns(), 12345);
      EXPECT_EQ(frame.meta_version(), 3u);
      EXPECT_EQ(frame.trace_id(), 99u);
      EXPECT_EQ(frame.layout().dtype, Dtype::uint16);
      EXPECT_EQ(frame.layout().shape()[1], 8);
      EXPECT_EQ(frame.read<std::uint16_t>([](auto view) { return view.elements.size(); }).value(), 32u);
      EXPECT_EQ(frame.read<float>([](auto) { return 1; }).error(), FrameLoss::wrong_type);
      EXPECT_EQ(frame.read<std::uint8_t>([](auto) { return 1; }).error(), FrameLoss::wrong_type);
    } else {
      EXPECT_GT(frame.timestamp_ns(), 0);
      EXPECT_FALSE(frame.trace_id());
    }
  });
  EXPECT_EQ(frames, 2);
}

// A foreign byte may be neither 0 nor 1, which no bool can hold.
TEST_F(ProducerTest, LetsBooleansBeReadAsBytes) {
  attach();
  EXPECT_EQ(producer->publish(TensorLayout::row_major(Dtype::boolean, {100}), pattern(100, 0)), PublishStatus::ok);
  int sum = 0;
  consumer->poll([&](const Frame& frame) {
    const auto read = frame.read<std::uint8_t>([](auto view) { return static_cast<int>(view.elements[7]); });
    sum = read ? *read : -1;
  });
  EXPECT_EQ(sum, 7);
}

TEST_F(ProducerTest, SendsDescriptorsInOrderWhenClaimsCompleteInAnyOrder) {
  attach();
  auto first = claim();
  auto next = claim();
  auto third = claim();
  EXPECT_EQ(producer->oldest_open_claim(), 0u);
  EXPECT_EQ(commit(std::move(third)), PublishStatus::ok);
  EXPECT_EQ(commit(std::move(next)), PublishStatus::ok);
  EXPECT_EQ(poll(), (Seqs{}));
  EXPECT_EQ(commit(std::move(first)), PublishStatus::ok);
  EXPECT_EQ(poll(), (Seqs{0, 1, 2}));
  EXPECT_FALSE(producer->oldest_open_claim());
}

TEST_F(ProducerTest, QueuesACopyBehindAnOpenClaim) {
  attach();
  auto open = claim();
  EXPECT_EQ(publish(1), PublishStatus::ok);
  EXPECT_EQ(poll(), (Seqs{}));
  commit(std::move(open));
  EXPECT_EQ(poll(), (Seqs{0, 1}));
}

TEST_F(ProducerTest, LeavesAGapForAClaimThatIsGivenUp) {
  attach();
  {
    const auto dropped = claim();
    EXPECT_EQ(publish(1), PublishStatus::ok);
  }
  EXPECT_EQ(publish(2), PublishStatus::ok);
  EXPECT_EQ(poll(), (Seqs{1, 2}));
  // The consumer joined before: its first sequence is the first one that it heard of.
  { const auto dropped = claim(); }
  EXPECT_EQ(publish(4), PublishStatus::ok);
  EXPECT_EQ(poll(), (Seqs{4}));
  EXPECT_EQ(consumer->stats().abandoned, 1u);
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
  EXPECT_EQ(producer->stats().abandoned, 2u);
  expect_balance(consumer->stats());
}

TEST_F(ProducerTest, RefusesClaimsBeforeTooFewSlotsStayReadable) {
  attach();
  ASSERT_EQ(producer->max_claims(), 4u);
  std::vector<SlotClaim> claims;
  for (std::size_t i = 0; i < producer->max_claims(); ++i) claims.push_back(claim());
  EXPECT_EQ(producer->claim(1).error(), PublishStatus::claims_exhausted);
  EXPECT_EQ(publish(9), PublishStatus::claims_exhausted);
  EXPECT_EQ(producer->stats().claims_refused, 2u);
  // Completing another one than the oldest frees nothing that a reader could use.
  commit(std::move(claims[1]));
  EXPECT_EQ(producer->claim(1).error(), PublishStatus::claims_exhausted);
  run(client, 3 * nanos_per_second);
  ASSERT_NE(last(EventKind::log), nullptr);
  EXPECT_NE(last(EventKind::log)->message.find("sequence 0, open for"), std::string::npos)
      << last(EventKind::log)->message;
  commit(std::move(claims[0]));
  EXPECT_TRUE(producer->claim(1));
}

TEST_F(ProducerTest, KeepsAsManySlotsReadableAsItIsAskedTo) {
  EXPECT_EQ(claim_span(8, 0), 4u);
  EXPECT_EQ(claim_span(8, 7), 1u);
  EXPECT_EQ(claim_span(8, 8), 1u);
  EXPECT_EQ(claim_span(8, 100), 1u);
  EXPECT_EQ(claim_span(1, 0), 1u);
  attach({.min_readable_slots = 2});
  EXPECT_EQ(producer->max_claims(), 6u);
}

TEST_F(ProducerTest, TellsADeviceTheAddressOfEverySlot) {
  attach();
  auto claimed = claim();
  EXPECT_EQ(producer->slot_address(1, 0).data(), claimed.payload().data());
  EXPECT_EQ(producer->slot_address(1, 7).data(), claimed.payload().data() + 7 * 4096);
  EXPECT_EQ(producer->slot_address(2, 7).size(), 16384u);
  EXPECT_TRUE(producer->slot_address(1, 8).empty());
  EXPECT_TRUE(producer->slot_address(3, 0).empty());
}

// spec: behaviour, Producer: a region set is never unmapped while a claim on it is open.
TEST_F(ProducerTest, KeepsAnEndedEpochMappedForItsOpenClaims) {
  attach();
  const auto old_epoch = producer->stats().epoch;
  auto stale = claim();
  auto dropped = claim();
  EXPECT_EQ(publish(2), PublishStatus::ok);  // held back behind the claims, never to be heard of
  driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::revoked);
  run(client, 500 * ms);
  ASSERT_TRUE(producer->attached());
  EXPECT_EQ(count(EventKind::remapped),
            4);  // the producer once; the consumer for its epoch, the idle one and the new one
  EXPECT_EQ(publish(0), PublishStatus::ok);
  EXPECT_GT(producer->stats().epoch, old_epoch);
  std::fill(stale.payload().begin(), stale.payload().end(), std::byte{0xAB});
  EXPECT_EQ(stale.epoch(), old_epoch);
  EXPECT_EQ(std::move(stale).commit(TensorLayout::raw_bytes(100)), PublishStatus::stale_claim);
  run(client, 10 * ms);
  std::fill(dropped.payload().begin(), dropped.payload().end(), std::byte{0xCD});
  { const auto gone = std::move(dropped); }
  EXPECT_EQ(producer->stats().abandoned, 2u);
  EXPECT_EQ(producer->stats().descriptors_dropped, 1u);
  EXPECT_EQ(poll(), (Seqs{0}));
  expect_balance(consumer->stats());
}

TEST_F(ProducerTest, LetsAClaimOutliveItsProducer) {
  attach();
  auto claimed = claim();
  producer.reset();
  run(client, 600 * ms);
  std::fill(claimed.payload().begin(), claimed.payload().end(), std::byte{1});
  EXPECT_EQ(std::move(claimed).commit(TensorLayout::raw_bytes(100)), PublishStatus::stale_claim);
}

// spec: C1, I6: publishing never waits for anybody.
TEST_F(ProducerTest, DropsTheDescriptorWhenTheStreamIsBackPressured) {
  attach();
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  transport::loopback::force_offer_result(bus_, descriptor_stream, transport::OfferResult::back_pressured, 2);
  EXPECT_EQ(publish(1), PublishStatus::descriptor_dropped);
  EXPECT_EQ(publish(2), PublishStatus::descriptor_dropped);
  EXPECT_EQ(publish(3), PublishStatus::ok);
  EXPECT_EQ(producer->stats().descriptors_dropped, 2u);
  EXPECT_EQ(producer->stats().published, 4u);
  EXPECT_EQ(poll(), (Seqs{3}));
  EXPECT_EQ(consumer->stats()[LossCause::gap], 2u);
  expect_balance(consumer->stats());
}

// Nobody was there to be told: that is no loss, and no fault of the stream.
TEST_F(ProducerTest, CommitsAFrameWhenNobodyIsConnected) {
  attach();
  transport::loopback::force_offer_result(bus_, descriptor_stream, transport::OfferResult::not_connected, 1);
  EXPECT_EQ(publish(0), PublishStatus::no_consumer);
  EXPECT_EQ(producer->stats().published, 1u);
  EXPECT_EQ(producer->stats().descriptors_dropped, 0u);
  auto late = join();
  EXPECT_EQ(poll(late), (Seqs{0}));
}

TEST_F(ProducerTest, RetriesAnAdminActionOnce) {
  attach();
  transport::loopback::force_offer_result(bus_, descriptor_stream, transport::OfferResult::admin_action, 1);
  EXPECT_EQ(publish(0), PublishStatus::ok);
  EXPECT_EQ(producer->stats().admin_retries, 1u);
}

TEST_F(ProducerTest, RefreshesTheActivityOfItsRegionsEachPeriod) {
  attach();
  run(client, 3 * nanos_per_second);
  const auto regions =
      shm::RegionSet::map(driver->layout(5), shm::Access::read_only, shm::PathPolicy{{dir.path()}}).value();
  EXPECT_LE(now - regions->activity(), nanos_per_second + 2 * ms);
}

TEST(ClaimLedger, SendsOnlyWhatNoOpenClaimHoldsBack) {
  ClaimLedger ledger(8, 4);
  std::vector<std::uint64_t> sent;
  const auto flush = [&] { ledger.flush([&](std::uint64_t seq, const FrameInfo&) { sent.push_back(seq); }); };
  const auto ready = [&](std::uint64_t seq) { ledger.ready(seq, {}); };
  EXPECT_EQ(ledger.pass(), 0u);
  EXPECT_TRUE(ledger.idle());
  for (std::uint64_t seq = 1; seq <= 4; ++seq) EXPECT_EQ(ledger.open(), seq);
  EXPECT_FALSE(ledger.has_room());
  ready(3);
  flush();
  EXPECT_TRUE(sent.empty());
  EXPECT_EQ(ledger.held_back(), 1u);
  ready(1);
  flush();
  EXPECT_EQ(sent, (std::vector<std::uint64_t>{1}));
  EXPECT_EQ(ledger.oldest_open(), 2u);
  EXPECT_TRUE(ledger.has_room());
  ledger.abandon(2);
  flush();
  EXPECT_EQ(sent, (std::vector<std::uint64_t>{1, 3}));
  EXPECT_EQ(ledger.open_claims(), 1u);
  EXPECT_TRUE(ledger.complete_alone(4));
  EXPECT_TRUE(ledger.idle());
  EXPECT_EQ(ledger.open_claims(), 0u);
}

TEST(ClaimLedger, CompletesAloneOnlyWhatNothingComesBeforeOrAfter) {
  ClaimLedger ledger(8, 4);
  EXPECT_EQ(ledger.open(), 0u);
  EXPECT_EQ(ledger.open(), 1u);
  EXPECT_FALSE(ledger.complete_alone(0));
  EXPECT_FALSE(ledger.complete_alone(1));
  EXPECT_EQ(ledger.open_claims(), 2u);
}

}  // namespace
}  // namespace tensorpool::detail
