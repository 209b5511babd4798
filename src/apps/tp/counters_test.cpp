#include "apps/tp/counters.hpp"

#include <gtest/gtest.h>

namespace tensorpool::apps::tp {
namespace {

transport::CounterValue counter(std::int32_t id, std::int32_t type, std::int64_t value, std::string label) {
  return {id, type, value, -1, std::move(label), {}};
}

std::vector<transport::CounterValue> some() {
  return {counter(1, 0, 999, "Bytes sent"),
          counter(20, 1000, 4, "tensorpool 1000, driver driver-01: attaches granted"),
          counter(21, 1200, 30, "tensorpool 1000, producer 7 stream 1001: published"),
          counter(22, 1201, 9007199254740993, "tensorpool 1000, producer 7 stream 1001: bytes"),
          counter(23, 1050, 2, "tensorpool 1000, lease 77: stream 1001 PRODUCER client 7 since 5 ns: keepalives"),
          counter(24, 4000, 1, "somebody \x1b[2Jelse's")};
}

TEST(TpCounters, GroupsOursByTheirOwner) {
  EXPECT_EQ(describe(choose_counters(some(), false)),
            "tensorpool 1000, driver driver-01\n"
            "  attaches granted                              4\n"
            "tensorpool 1000, lease 77: stream 1001 PRODUCER client 7 since 5 ns\n"
            "  keepalives                                    2\n"
            "tensorpool 1000, producer 7 stream 1001\n"
            "  published                                    30\n"
            "  bytes                          9007199254740993\n");
}

TEST(TpCounters, ShowsEverybodysWhenAskedTo) {
  const std::string text = describe(choose_counters(some(), true));
  EXPECT_NE(text.find("    1     0                  999  Bytes sent\n"), text.npos) << text;
  EXPECT_NE(text.find("   24  4000                    1  somebody \\x1b[2Jelse's\n"), text.npos) << text;
}

TEST(TpCounters, ShowsThoseWhoseLabelMatches) {
  EXPECT_EQ(choose_counters(some(), false, ", producer 7").size(), 2u);
  EXPECT_EQ(choose_counters(some(), false, "Bytes").size(), 0u);
  EXPECT_EQ(choose_counters(some(), true, "Bytes").size(), 1u);
}

TEST(TpCounters, TellsProgramsWhoseTheyAre) {
  const Json json = to_json(choose_counters(some(), false));
  ASSERT_EQ(json.size(), 4u);
  EXPECT_EQ(json[2]["role"], "producer");
  EXPECT_EQ(json[2]["client_id"], 7);
  EXPECT_EQ(json[2]["stream_id"], 1001);
  EXPECT_EQ(json[2]["figure"], "bytes");
  EXPECT_EQ(json[2]["value"], "9007199254740993");
  EXPECT_EQ(json[3]["lease_id"], "77");
}

}  // namespace
}  // namespace tensorpool::apps::tp
