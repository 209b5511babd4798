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
  stats.delivered = 81;
  stats.abandoned = 2;
  stats.lost[0] = 4;
  stats.lost[3] = 1;
  return stats;
}

// 0 to 94 and 97, and 98: what is missing was given up.
std::vector<CrcRecord> sent() {
  std::vector<CrcRecord> log;
  for (std::uint64_t seq = 0; seq < 100; ++seq) {
    if (seq != 95 && seq != 96 && seq != 99) log.push_back({9, seq, 0, 0});
  }
  return log;
}

TEST(Balance, HoldsWhenEverySequenceHasOneCause) {
  const Balance result = balance(producer(), consumer(), sent());
  EXPECT_TRUE(result.faults.empty()) << result.faults[0];
  EXPECT_EQ(result.sequences, 90U);
  EXPECT_EQ(result.delivered, 81U);
  EXPECT_EQ(result.abandoned, 3U) << "95 and 96, which the consumer saw, and 99, which nobody announced";
  EXPECT_EQ(result.lost, 6U);
  EXPECT_EQ(result.unheard, 1U) << "98";
}

TEST(Balance, FailsForOneSequenceTooFewOrTooMany) {
  ConsumerStats stats = consumer();
  stats.delivered -= 1;
  EXPECT_EQ(balance(producer(), stats, sent()).faults.size(), 1U);
  stats.delivered += 2;
  EXPECT_EQ(balance(producer(), stats, sent()).faults.size(), 1U);
}

TEST(Balance, FailsWhenMoreCountsAsAbandonedThanWasGivenUp) {
  ConsumerStats stats = consumer();
  stats.abandoned += 1;
  stats.lost[0] -= 1;
  EXPECT_EQ(balance(producer(), stats, sent()).faults.size(), 1U);
}

TEST(Balance, FailsWhenTheProducersOwnFiguresDoNotAddUp) {
  ProducerStats stats = producer();
  stats.published += 1;
  EXPECT_EQ(balance(stats, consumer(), sent()).faults.size(), 1U);
}

TEST(Balance, FailsForAnotherEpochAndForNothingDelivered) {
  ConsumerStats stats = consumer();
  stats.epoch = 8;
  EXPECT_EQ(balance(producer(), stats, sent()).faults.size(), 1U);
  EXPECT_FALSE(balance(producer(), ConsumerStats{}, sent()).faults.empty());
}

TEST(Balance, FailsForASequenceThatWasNeverSent) {
  ConsumerStats stats = consumer();
  stats.last_seq = 100;
  EXPECT_EQ(balance(producer(), stats, sent()).faults.size(), 1U);
}

TEST(Balance, WantsEveryDeliveredFrameChecked) {
  Balance result = balance(producer(), consumer(), sent());
  check_content(result, {.verified = 81});
  EXPECT_TRUE(result.faults.empty());
  check_content(result, {.verified = 80});
  EXPECT_EQ(result.faults.size(), 1U);
  Balance wrong = balance(producer(), consumer(), sent());
  check_content(wrong, {.verified = 80, .different = 1, .example = CrcRecord{9, 11, 0, 0}});
  ASSERT_EQ(wrong.faults.size(), 1U);
  EXPECT_NE(wrong.faults[0].find("sequence 11"), std::string::npos);
}

}  // namespace
}  // namespace tensorpool::apps
