#include "transport/blocked_publications.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace tensorpool::transport {
namespace {

CounterValue stream_counter(std::int32_t type_id, std::int64_t value, std::int64_t registration_id,
                            std::int32_t session_id, std::int64_t owner = -1) {
  CounterValue counter{.type_id = type_id, .value = value, .owner_client_id = owner, .label = {}, .key = {}};
  const std::int32_t stream_id = 1100;
  counter.key.resize(20);
  std::memcpy(counter.key.data(), &registration_id, 8);
  std::memcpy(counter.key.data() + 8, &session_id, 4);
  std::memcpy(counter.key.data() + 12, &stream_id, 4);
  return counter;
}
CounterValue limit(std::int64_t value, std::int64_t id = 5) { return stream_counter(1, value, id, 70); }
CounterValue position(std::int64_t value, std::int64_t id = 5) { return stream_counter(12, value, id, 70); }
CounterValue subscriber(std::int64_t value, std::int64_t owner, std::int32_t session_id = 70) {
  return stream_counter(4, value, 900 + owner, session_id, owner);
}
CounterValue heartbeat(std::int64_t client_id, const char* label) {
  CounterValue counter{.type_id = 11, .value = 1, .label = label, .key = {}};
  counter.key.resize(8);
  std::memcpy(counter.key.data(), &client_id, 8);
  return counter;
}

TEST(BlockedPublications, NamesTheSubscriberThatReadLeast) {
  const auto blocked = blocked_publications({limit(2000), position(2096), subscriber(2096, 17), subscriber(0, 18),
                                             subscriber(-5, 19, 71), heartbeat(17, "client-heartbeat: 17 name=fast"),
                                             heartbeat(18, "client-heartbeat: 18 name=slow one version=1.54.0")});
  ASSERT_EQ(blocked.size(), 1U);
  EXPECT_EQ(blocked[0].session_id, 70);
  EXPECT_EQ(blocked[0].stream_id, 1100);
  EXPECT_EQ(describe_subscriber(blocked[0]), "Aeron client 18 (slow one), which is 2096 bytes behind");
}

TEST(BlockedPublications, AreNamedWithoutAClientWhereNoneIsKnown) {
  const auto blocked = blocked_publications({limit(2000), position(2000), subscriber(0, -1)});
  ASSERT_EQ(blocked.size(), 1U);
  EXPECT_EQ(describe_subscriber(blocked[0]), "a subscriber that is 2000 bytes behind");
}

TEST(BlockedPublications, AreThoseOnlyThatTakeNothing) {
  EXPECT_TRUE(blocked_publications({limit(2000), position(1999), subscriber(0, 17)}).empty());
  EXPECT_TRUE(blocked_publications({limit(2000), position(2000)}).empty()) << "nobody subscribed";
  EXPECT_TRUE(blocked_publications({limit(0), position(0), subscriber(0, 17)}).empty()) << "nothing was sent";
  EXPECT_TRUE(blocked_publications({limit(2000), position(2000, 6), subscriber(0, 17)}).empty());
  CounterValue cut = limit(2000);
  cut.key.resize(9);
  EXPECT_TRUE(blocked_publications({cut, position(2000), subscriber(0, 17)}).empty());
}

}  // namespace
}  // namespace tensorpool::transport
