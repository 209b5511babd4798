#include "apps/demo/balance.hpp"

#include <gtest/gtest.h>

namespace tensorpool::apps {
namespace {

ProducerStats producer() {
  ProducerStats stats;
  stats.epoch = 9;
  stats.first_seq = 0;
  stats.next_seq = 100;
  stats.published = 97;
  stats.abandoned = 3;
  return stats;
}

// Came at sequence 10 and last heard of 97.
ConsumerStats consumer() {
  ConsumerStats stats;
  stats.epoch = 9;
  stats.first_seq = 10;
  stats.last_seq = 97;
  stats.delivered = 80;
  stats.abandoned = 3;
  stats.lost[0] = 4;
  stats.lost[3] = 1;
  return stats;
}

TEST(Balance, HoldsWhenEverySequenceHasOneCause) {
  const Balance result = balance(producer(), consumer());
  EXPECT_TRUE(result.faults.empty()) << result.faults[0];
  EXPECT_EQ(result.sequences, 90U);
  EXPECT_EQ(result.lost, 5U);
  EXPECT_EQ(result.tail, 2U);
}

TEST(Balance, FailsForOneSequenceTooFewOrTooMany) {
  ConsumerStats stats = consumer();
  stats.delivered -= 1;
  EXPECT_EQ(balance(producer(), stats).faults.size(), 1U);
  stats.delivered += 2;
  EXPECT_EQ(balance(producer(), stats).faults.size(), 1U);
}

TEST(Balance, FailsWhenTheProducersOwnFiguresDoNotAddUp) {
  ProducerStats stats = producer();
  stats.published += 1;
  EXPECT_EQ(balance(stats, consumer()).faults.size(), 1U);
}

TEST(Balance, FailsForAnotherEpochAndForNothingDelivered) {
  ConsumerStats stats = consumer();
  stats.epoch = 8;
  EXPECT_EQ(balance(producer(), stats).faults.size(), 1U);
  EXPECT_FALSE(balance(producer(), ConsumerStats{}).faults.empty());
}

TEST(Balance, FailsForASequenceThatWasNeverSent) {
  ConsumerStats stats = consumer();
  stats.last_seq = 100;
  EXPECT_EQ(balance(producer(), stats).faults.size(), 1U);
}

TEST(Balance, WantsEveryDeliveredFrameChecked) {
  Balance result = balance(producer(), consumer());
  check_content(result, {.verified = 80});
  EXPECT_TRUE(result.faults.empty());
  check_content(result, {.verified = 79});
  EXPECT_EQ(result.faults.size(), 1U);
  Balance wrong = balance(producer(), consumer());
  check_content(wrong, {.verified = 79, .different = 1, .example = CrcRecord{9, 11, 0, 0}});
  ASSERT_EQ(wrong.faults.size(), 1U);
  EXPECT_NE(wrong.faults[0].find("sequence 11"), std::string::npos);
}

}  // namespace
}  // namespace tensorpool::apps
