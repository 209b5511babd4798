#include "apps/flow/stats_json.hpp"

#include <gtest/gtest.h>

namespace tensorpool::apps {
namespace {

TEST(StatsJson, ProducerCountersComeBackAsTheyWere) {
  ProducerStats stats{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
  stats.epoch = 1'700'000'000'000'000'009;
  stats.first_seq = 15;
  stats.next_seq = 16;
  const auto back = producer_stats_from(Json::parse(to_json(stats).dump()));
  ASSERT_TRUE(back);
  EXPECT_EQ(to_json(*back), to_json(stats));
  EXPECT_EQ(back->epoch, stats.epoch);
  EXPECT_EQ(back->next_seq, 16U);
}

TEST(StatsJson, ConsumerCountersComeBackAsTheyWere) {
  ConsumerStats stats;
  stats.delivered = 1;
  stats.epoch = 1'700'000'000'000'000'009;
  stats.last_seq = 1ULL << 62;
  for (std::size_t i = 0; i < loss_causes; ++i) stats.lost[i] = i + 10;
  const auto back = consumer_stats_from(Json::parse(to_json(stats).dump()));
  ASSERT_TRUE(back);
  EXPECT_EQ(to_json(*back), to_json(stats));
  EXPECT_EQ(back->lost, stats.lost);
}

TEST(StatsJson, IncompleteCountersAreNone) {
  Json json = to_json(ConsumerStats{});
  json.erase("lost");
  EXPECT_FALSE(consumer_stats_from(json));
  EXPECT_FALSE(consumer_stats_from(Json("text")));
  json = to_json(ProducerStats{});
  json["published"] = "many";
  EXPECT_FALSE(producer_stats_from(json));
}

TEST(StatsJson, EpochsAreStrings) { EXPECT_TRUE(to_json(ProducerStats{})["epoch"].is_string()); }

TEST(EpochSpans, HoldFirstAndLastOfEachEpoch) {
  EpochSpans spans;
  for (const std::uint64_t seq : {5U, 4U, 9U}) spans.extend(1, seq);
  spans.extend(2, 0);
  EXPECT_EQ(spans.all(), (std::vector<EpochSpan>{{1, 4, 9}, {2, 0, 0}}));
}

}  // namespace
}  // namespace tensorpool::apps
