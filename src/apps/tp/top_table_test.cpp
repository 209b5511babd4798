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

const ClientNames names{{{1001, 7}, "tp publish 1001"}, {{1001, 9}, "evil\x1b[31m\xc3\xa9 and far too long a name"}};

std::vector<std::string> rows_of(const MonitorSnapshot& taken, std::size_t width) {
  std::vector<std::string> rows;
  for (const StyledLine& line : top_lines(taken, names, width)) rows.push_back(line.text);
  return rows;
}

TEST(TopTable, HasARowForEachStreamProducerAndConsumer) {
  const auto rows = rows_of(snapshot(), 0);
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(rows[0], "driver alive; 1 streams, 1 producers, 1 consumers");
  EXPECT_EQ(rows[1],
            "stream  what        Hz  lost  state  name               MB/s  lag  latency ms  client     epoch  lease  "
            "lost by cause");
  EXPECT_EQ(rows[2],
            "  1001  stream    30.0     -         -                 124.4    -   0.25-1.50       -  ..000001      -");
  EXPECT_EQ(rows[3],
            "  1001  producer  30.0     -  alive  tp publish 1001   124.4    -           -       7  ..000001   61 s");
  EXPECT_EQ(rows[4],
            "  1001  consumer   0.0     7  gone?  evil\\x1b[31m\\x..   62.2    2        0.31       9         -      -  "
            "gap 3, late 4");
}

TEST(TopTable, KeepsWhatMattersMostOnANarrowTerminal) {
  for (const std::size_t width : {1U, 10U, 40U, 80U, 132U}) {
    for (const std::string& row : rows_of(snapshot(), width)) {
      EXPECT_LE(row.size(), width);
      for (const char c : row) EXPECT_TRUE(c >= ' ' && c < 127) << row;
    }
  }
  EXPECT_EQ(rows_of(snapshot(), 40)[1], "stream  what        Hz  lost  state");
  EXPECT_EQ(rows_of(snapshot(), 40)[4], "  1001  consumer   0.0     7  gone?");
  EXPECT_EQ(rows_of(snapshot(), 80)[1],
            "stream  what        Hz  lost  state  name               MB/s  lag  latency ms");
}

TEST(TopTable, MarksClientsThatNeedAttention) {
  MonitorSnapshot taken = snapshot();
  taken.producers[0].frames_missing = true;
  const auto lines = top_lines(taken, names, 0);
  EXPECT_EQ(lines[1].style, LineStyle::heading);
  EXPECT_EQ(lines[2].style, LineStyle::plain);
  EXPECT_EQ(lines[3].style, LineStyle::warning);
  EXPECT_EQ(lines[4].style, LineStyle::error);
}

TEST(TopTable, NamesTheCausesThatAConsumerItselfTells) {
  MonitorSnapshot taken = snapshot();
  taken.consumers[0].lost.emplace();
  (*taken.consumers[0].lost)[static_cast<std::size_t>(LossCause::overwritten)] = 5;
  EXPECT_TRUE(rows_of(taken, 0)[4].ends_with("overwritten 5")) << rows_of(taken, 0)[4];
}

TEST(TopTable, ShowsClientsOfAStreamThatNobodyAnnounces) {
  MonitorSnapshot taken = snapshot();
  taken.streams.clear();
  taken.connected = false;
  const auto rows = rows_of(taken, 0);
  EXPECT_EQ(rows.size(), 4U);
  EXPECT_NE(rows[0].find("media driver gone"), std::string::npos);
}

TEST(TopTable, WritesIdsAndEpochsOf64BitsAsStrings) {
  const Json json = to_json(snapshot(), names);
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
  EXPECT_EQ(json["producers"][0]["name"], "tp publish 1001");
}

}  // namespace
}  // namespace tensorpool::apps::tp
