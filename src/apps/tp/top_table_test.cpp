#include "apps/tp/top_table.hpp"

#include <gtest/gtest.h>

namespace tensorpool::apps::tp {
namespace {

MonitorSnapshot snapshot() {
  MonitorSnapshot taken;
  taken.connected = true;
  taken.driver = DriverState::alive;
  StreamView stream;
  stream.stream_id = 1001;
  stream.epoch = 1763800000000000001;
  stream.producer_id = 7;
  stream.frames_per_s = 30;
  stream.bytes_per_s = 124.4e6;
  stream.latency_least_ns = 250'000;
  stream.latency_most_ns = 1'500'000;
  taken.streams.push_back(stream);
  ProducerView producer;
  producer.stream_id = 1001;
  producer.producer_id = 7;
  producer.epoch = stream.epoch;
  producer.frames_per_s = 30.04;
  producer.bytes_per_s = 124.4e6;
  producer.confirmed = true;
  producer.lease = LeaseView{~std::uint64_t{0}, 60, 61 * nanos_per_second, nanos_per_second};
  taken.producers.push_back(producer);
  ConsumerView consumer;
  consumer.stream_id = 1001;
  consumer.consumer_id = 9;
  consumer.bytes_per_s = 62.2e6;
  consumer.lag_frames = 2;
  consumer.latency_mean_ns = 310'000;
  consumer.drops_gap = 3;
  consumer.drops_late = 4;
  consumer.liveness = Liveness::gone;
  taken.consumers.push_back(consumer);
  return taken;
}

TEST(TopTable, HasARowForEachStreamProducerAndConsumer) {
  const auto rows = top_rows(snapshot());
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(rows[0], "driver alive; 1 streams, 1 producers, 1 consumers");
  EXPECT_EQ(rows[1],
            "    stream               client  state       Hz     MB/s     lag  latency ms                epoch    lease"
            "  dropped");
  EXPECT_EQ(
      rows[2],
      "      1001  stream            -            30.0    124.4       -   0.25-1.50  1763800000000000001        -");
  EXPECT_EQ(
      rows[3],
      "      1001  producer          7  alive     30.0    124.4       -           -  1763800000000000001     61 s");
  EXPECT_EQ(rows[4],
            "      1001  consumer          9  gone?      0.0     62.2       2        0.31                    -        -"
            "  gap 3, late 4");
}

TEST(TopTable, NamesTheCausesThatAConsumerItselfTells) {
  MonitorSnapshot taken = snapshot();
  taken.consumers[0].lost.emplace();
  (*taken.consumers[0].lost)[static_cast<std::size_t>(LossCause::overwritten)] = 5;
  EXPECT_TRUE(top_rows(taken)[4].ends_with("overwritten 5")) << top_rows(taken)[4];
}

TEST(TopTable, ShowsClientsOfAStreamThatNobodyAnnounces) {
  MonitorSnapshot taken = snapshot();
  taken.streams.clear();
  taken.connected = false;
  const auto rows = top_rows(taken);
  EXPECT_EQ(rows.size(), 4U);
  EXPECT_NE(rows[0].find("media driver gone"), std::string::npos);
}

TEST(TopTable, WritesIdsAndEpochsOf64BitsAsStrings) {
  const Json json = to_json(snapshot());
  EXPECT_EQ(json["driver"], "alive");
  EXPECT_EQ(json["streams"][0]["epoch"], "1763800000000000001");
  EXPECT_EQ(json["producers"][0]["lease"]["lease_id"], "18446744073709551615");
  EXPECT_EQ(json["producers"][0]["bytes_per_s"], 124.4e6);
  EXPECT_EQ(json["streams"][0]["bytes_per_s"], 124.4e6);
  EXPECT_EQ(json["consumers"][0]["bytes_per_s"], 62.2e6);
  EXPECT_EQ(json["consumers"][0]["lost"], nullptr);
  EXPECT_EQ(json["consumers"][0]["latency_mean_ns"], 310'000);
  EXPECT_EQ(json["consumers"][0]["drops_late"], 4);
  EXPECT_EQ(json["consumers"][0]["liveness"], "gone");
  EXPECT_EQ(json["consumers"][0]["lease"], nullptr);
}

}  // namespace
}  // namespace tensorpool::apps::tp
