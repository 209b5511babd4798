// Frames in flight as a consumer reads them, and what somebody who lies about them achieves.
#include <gtest/gtest.h>

#include "client/scripted_driver_test.hpp"
#include "support/allocation_counter.hpp"

namespace tensorpool::detail {
namespace {

using State = protocol::FrameProgressState;

TensorLayout rows() {
  auto layout = TensorLayout::row_major(Dtype::uint8, {10, 100});
  layout.progress_unit = ProgressUnit::rows;
  layout.progress_stride_bytes = 100;
  return layout;
}

class ProgressReadingTest : public StreamBench {
 protected:
  ProgressReadingTest() {
    ConsumerOptions wants;
    wants.progress = ProgressHints{.interval_us = 0, .bytes_delta = 0};
    attach({.progress_interval_ns = 0, .progress_bytes_delta = 0}, wants);
    run(client, 5 * nanos_per_milli);
  }
  SlotClaim claim_described() {
    auto claimed = producer->claim(1000, rows());
    EXPECT_TRUE(claimed);
    return *std::move(claimed);
  }
  // The first `bytes` of the frame are there.
  static void fill(SlotClaim& claim, std::size_t bytes) {
    const auto content = pattern(bytes, claim.seq());
    std::copy(content.begin(), content.end(), claim.payload().begin());
  }
  struct Seen {
    std::uint64_t seq;
    std::size_t bytes;
    std::uint32_t rows;
    ProgressState state;
    bool operator==(const Seen&) const = default;
  };
  // What a poll shows; every byte that is said to be final is checked.
  std::vector<Seen> look() {
    std::vector<Seen> seen;
    consumer->poll_progress([&](const PartialFrame& frame) {
      std::vector<std::byte> bytes(frame.bytes_filled());
      EXPECT_TRUE(frame.copy_to(bytes));
      EXPECT_EQ(bytes, pattern(bytes.size(), frame.seq()));
      EXPECT_EQ(frame.layout(), rows());
      EXPECT_EQ(frame.size_bytes(), 1000u);
      EXPECT_EQ(frame.read<std::uint8_t>([](auto view) { return view.elements.size(); }).value(), bytes.size());
      seen.push_back({frame.seq(), frame.bytes_filled(), frame.rows_filled(), frame.state()});
    });
    return seen;
  }
  void lie(std::uint64_t seq, std::uint64_t bytes, State state = State::progress, std::uint64_t epochs_off = 0) {
    driver->send(protocol::FrameProgress{5, producer->stats().epoch + epochs_off, seq, bytes, state});
  }
  [[nodiscard]] ProgressStats stats() const { return consumer->stats().progress; }
};

TEST_F(ProgressReadingTest, ReadsTheRowsOfAFrameInFlight) {
  auto claimed = claim_described();
  EXPECT_EQ(look(), (std::vector<Seen>{{0, 0, 0, ProgressState::started}}));
  fill(claimed, 350);
  EXPECT_EQ(claimed.progress(350), ProgressStatus::sent);
  EXPECT_EQ(look(), (std::vector<Seen>{{0, 350, 3, ProgressState::filling}}));
  EXPECT_EQ(poll(), (Seqs{}));  // it is no frame yet
  fill(claimed, 1000);
  EXPECT_EQ(std::move(claimed).commit(rows()), PublishStatus::ok);
  EXPECT_EQ(look(), (std::vector<Seen>{{0, 1000, 10, ProgressState::complete}}));
  EXPECT_EQ(poll(), (Seqs{0}));  // and arrives as always
  EXPECT_EQ(stats().delivered, 3u);
  EXPECT_EQ(consumer->stats().accounted, 1u);
  expect_balance(consumer->stats());
}

TEST_F(ProgressReadingTest, ReadsSeveralFramesInFlight) {
  auto first = claim_described();
  auto next = claim_described();
  fill(next, 200);
  EXPECT_EQ(next.progress(200), ProgressStatus::sent);
  fill(first, 100);
  EXPECT_EQ(first.progress(100), ProgressStatus::sent);
  const auto seen = look();
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen[2], (Seen{1, 200, 2, ProgressState::filling}));
  EXPECT_EQ(seen[3], (Seen{0, 100, 1, ProgressState::filling}));
}

TEST_F(ProgressReadingTest, MayReadWhatWasInFlightOnceItIsCommitted) {
  auto claimed = claim_described();
  fill(claimed, 1000);
  EXPECT_EQ(claimed.progress(500), ProgressStatus::sent);
  EXPECT_EQ(std::move(claimed).commit(rows()), PublishStatus::ok);
  EXPECT_EQ(look().size(), 3u);
  EXPECT_EQ(stats().not_there, 0u);
}

TEST_F(ProgressReadingTest, TellsThatTheSlotWasGivenToAnotherFrameDuringUse) {
  auto claimed = claim_described();
  fill(claimed, 500);
  EXPECT_EQ(claimed.progress(500), ProgressStatus::sent);
  EXPECT_EQ(look().size(), 2u);
  fill(claimed, 1000);
  EXPECT_EQ(claimed.progress(1000), ProgressStatus::sent);
  int calls = 0;
  consumer->poll_progress(
      [&](const PartialFrame& frame) {
        ++calls;
        EXPECT_TRUE(frame.still_valid());
        EXPECT_EQ(std::move(claimed).commit(rows()), PublishStatus::ok);
        EXPECT_TRUE(frame.still_valid());
        for (std::uint64_t seq = 1; seq <= 8; ++seq) publish(seq);  // the ring has 8 slots
        EXPECT_FALSE(frame.still_valid());
        std::vector<std::byte> bytes(1000);
        EXPECT_EQ(frame.copy_to(bytes).error(), FrameLoss::overwritten);
        EXPECT_EQ(frame.read<std::uint8_t>([](auto) { return 1; }).error(), FrameLoss::overwritten);
        EXPECT_EQ(frame.copy_to(std::span(bytes).first(10)).error(), FrameLoss::buffer_too_small);
        EXPECT_EQ(frame.read<float>([](auto) { return 1; }).error(), FrameLoss::wrong_type);
      },
      1);
  EXPECT_EQ(calls, 1);
}

TEST_F(ProgressReadingTest, IgnoresAndCountsLies) {
  auto claimed = claim_described();
  fill(claimed, 500);
  EXPECT_EQ(claimed.progress(500), ProgressStatus::sent);
  EXPECT_EQ(look().size(), 2u);
  lie(0, 1001);                     // beyond the length
  lie(0, ~std::uint64_t{0});        // far beyond
  lie(0, 499);                      // backwards
  lie(0, 500);                      // repeated
  lie(0, 0, State::started);        // backwards
  lie(7, 10);                       // not begun
  lie(std::uint64_t{1} << 63, 10);  // no sequence at all
  lie(~std::uint64_t{0}, 10);       // likewise
  lie(8, 10);                       // the next sequence of this slot
  lie(0, 1000, State::complete);    // not committed
  lie(0, 600, State::unknown);      // no state
  lie(0, 600, State::progress, 1);  // another epoch
  EXPECT_TRUE(look().empty());
  EXPECT_EQ(stats().beyond_length, 2u);
  EXPECT_EQ(stats().not_newer, 3u);
  EXPECT_EQ(stats().not_there, 5u);
  EXPECT_EQ(stats().malformed, 1u);
  EXPECT_EQ(stats().wrong_epoch, 1u);
  fill(claimed, 1000);
  EXPECT_EQ(std::move(claimed).commit(rows()), PublishStatus::ok);
  EXPECT_EQ(look().size(), 1u);
  EXPECT_EQ(poll(), (Seqs{0}));
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
  expect_balance(consumer->stats());
}

TEST_F(ProgressReadingTest, SpendsOnAFloodNoMoreThanItsLimit) {
  for (int i = 0; i < 1000; ++i) lie(3, static_cast<std::uint64_t>(i));
  publish(0);
  EXPECT_TRUE(look().empty());
  EXPECT_GT(stats().not_there, 0u);
  EXPECT_LE(stats().not_there, 64u);  // messages of every kind count
  EXPECT_EQ(poll(), (Seqs{0}));
}

TEST_F(ProgressReadingTest, FollowsItsProducerToTheNextEpoch) {
  auto old = claim_described();
  EXPECT_EQ(look().size(), 1u);
  driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::revoked);
  run(client, 2 * nanos_per_second);
  ASSERT_TRUE(producer->attached());
  EXPECT_EQ(old.progress(10), ProgressStatus::stale_claim);
  publish(0);
  EXPECT_EQ(poll(), (Seqs{0}));
  auto claimed = claim_described();
  fill(claimed, 300);
  EXPECT_EQ(claimed.progress(300), ProgressStatus::sent);
  const auto seen = look();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1], (Seen{1, 300, 3, ProgressState::filling}));
}

TEST_F(ProgressReadingTest, HearsNothingUnlessItAsked) {
  auto deaf = join();
  run(client, 2 * nanos_per_milli);
  auto claimed = claim_described();
  EXPECT_EQ(deaf.poll_progress([](const PartialFrame&) {}), 0);
  EXPECT_EQ(look().size(), 1u);
}

TEST_F(ProgressReadingTest, NeitherPollCallsTheOther) {
  auto claimed = claim_described();
  consumer->poll_progress([&](const PartialFrame&) {
    EXPECT_EQ(consumer->poll([](const Frame&) {}), 0);
    EXPECT_EQ(consumer->poll_progress([](const PartialFrame&) {}), 0);
  });
}

TEST_F(ProgressReadingTest, AllocatesNothing) {
  auto claimed = claim_described();
  std::vector<std::byte> copy(1000);
  int calls = 0;
  for (std::size_t bytes = 1; bytes < 600; ++bytes) {
    EXPECT_EQ(claimed.progress(bytes), ProgressStatus::sent);
    const auto allocations = test::allocations_of(
        [&] { consumer->poll_progress([&](const PartialFrame& frame) { calls += frame.copy_to(copy) ? 1 : 0; }); });
    EXPECT_EQ(allocations.count, 0u);
  }
  EXPECT_EQ(calls, 600);
}

}  // namespace
}  // namespace tensorpool::detail
