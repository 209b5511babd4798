#include "tensorpool/inflight_queue.hpp"

#include <gtest/gtest.h>

#include "client/scripted_driver_test.hpp"
#include "support/allocation_counter.hpp"

namespace tensorpool::detail {
namespace {

class InflightQueueTest : public StreamBench {
 protected:
  InflightQueueTest() { attach(); }
  // What is left of a claim that was taken.
  static std::optional<std::uint64_t> seq_of(const std::optional<SlotClaim>& claim) {
    return claim ? std::optional(claim->seq()) : std::nullopt;
  }
};

TEST_F(InflightQueueTest, GivesBackTheClaimOfABufferInAnyOrder) {
  InflightQueue inflight(3);
  EXPECT_TRUE(inflight.empty());
  for (const std::uint64_t id : {70U, 5U, 900U}) EXPECT_TRUE(inflight.push(id, claim()));
  EXPECT_TRUE(inflight.full());
  EXPECT_EQ(seq_of(inflight.take(900)), 2u);
  EXPECT_EQ(seq_of(inflight.take(70)), 0u);
  EXPECT_EQ(inflight.size(), 1u);
  EXPECT_EQ(seq_of(inflight.take(5)), 1u);
  EXPECT_TRUE(inflight.empty());
}

TEST_F(InflightQueueTest, KnowsNoBufferThatWasNotPushedOrWasTaken) {
  InflightQueue inflight(2);
  EXPECT_FALSE(inflight.take(1));
  EXPECT_FALSE(inflight.pop());
  EXPECT_FALSE(inflight.oldest());
  ASSERT_TRUE(inflight.push(1, claim()));
  EXPECT_EQ(inflight.find(2), nullptr);
  ASSERT_NE(inflight.find(1), nullptr);
  EXPECT_EQ(inflight.find(1)->seq(), 0u);
  EXPECT_TRUE(inflight.take(1));
  EXPECT_FALSE(inflight.take(1));
}

TEST_F(InflightQueueTest, RefusesAUsedIdAndAFullQueueAndLeavesTheClaimToItsCaller) {
  InflightQueue inflight(2);
  ASSERT_TRUE(inflight.push(1, claim()));
  auto next = claim();
  EXPECT_FALSE(inflight.push(1, std::move(next)));
  EXPECT_TRUE(inflight.push(2, std::move(next)));
  auto third = claim();
  EXPECT_FALSE(inflight.push(3, std::move(third)));
  EXPECT_EQ(commit(std::move(third)), PublishStatus::ok);
  EXPECT_EQ(producer->stats().abandoned, 0u);
}

TEST_F(InflightQueueTest, PopsInTheOrderOfThePushesWhateverWasTakenBetween) {
  InflightQueue inflight(4);
  for (const std::uint64_t id : {40U, 30U, 20U, 10U}) ASSERT_TRUE(inflight.push(id, claim()));
  EXPECT_EQ(inflight.oldest(), 40u);
  EXPECT_EQ(seq_of(inflight.pop()), 0u);
  EXPECT_EQ(seq_of(inflight.take(20)), 2u);
  ASSERT_TRUE(inflight.push(20, claim()));
  EXPECT_EQ(inflight.oldest(), 30u);
  EXPECT_EQ(seq_of(inflight.pop()), 1u);
  EXPECT_EQ(seq_of(inflight.pop()), 3u);
  EXPECT_EQ(seq_of(inflight.pop()), 4u);
  EXPECT_TRUE(inflight.empty());
}

TEST_F(InflightQueueTest, AbandonsWhatIsLeftInIt) {
  {
    InflightQueue inflight(4);
    for (const std::uint64_t id : {0U, 1U, 2U}) ASSERT_TRUE(inflight.push(id, claim()));
    EXPECT_TRUE(inflight.take(1));  // gone at once
    EXPECT_EQ(producer->stats().abandoned, 1u);
  }
  EXPECT_EQ(producer->stats().abandoned, 3u);
  EXPECT_FALSE(producer->oldest_open_claim());
}

TEST_F(InflightQueueTest, AllocatesNothingOnceItIsMade) {
  InflightQueue inflight(4);
  std::vector<SlotClaim> claims;
  for (int i = 0; i < 4; ++i) claims.push_back(claim());
  const auto allocations = test::allocations_of([&] {
    for (std::uint64_t round = 0; round < 100; ++round) {
      for (std::uint64_t i = 0; i < 4; ++i) EXPECT_TRUE(inflight.push(round + i, std::move(claims[i])));
      claims[2] = *inflight.take(round + 2);
      claims[0] = *inflight.pop();
      claims[1] = *inflight.pop();
      claims[3] = *inflight.pop();
    }
  });
  EXPECT_EQ(allocations.count, 0u);
}

}  // namespace
}  // namespace tensorpool::detail
