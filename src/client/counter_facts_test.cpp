#include "client/counter_facts.hpp"

#include <gtest/gtest.h>

#include "client/attachment_counters.hpp"

namespace tensorpool::detail {
namespace {

using protocol::Role;
using transport::CounterValue;

CounterValue counter(std::int32_t type_id, std::string label, std::int64_t value) {
  CounterValue made;
  made.type_id = type_id;
  made.label = std::move(label);
  made.value = value;
  return made;
}

std::vector<CounterValue> lease_counters(std::int32_t control_stream_id, std::uint64_t lease_id) {
  const protocol::LeaseLabel label{control_stream_id, lease_id, 5, 7, Role::producer, 1000};
  using namespace protocol;
  return {
      counter(lease_keepalives_counter_type, format_lease_label(label, lease_keepalives_counter_type), 12),
      counter(lease_expiry_counter_type, format_lease_label(label, lease_expiry_counter_type), 5000),
  };
}

TEST(CounterFacts, PutTheTwoCountersOfALeaseTogether) {
  const auto leases = leases_in(lease_counters(1000, 77), 1000, 10);
  ASSERT_EQ(leases.size(), 1U);
  EXPECT_EQ(leases[0].label.lease_id, 77U);
  EXPECT_EQ(leases[0].keepalives, 12U);
  EXPECT_EQ(leases[0].expires_at, 5000);
}

TEST(CounterFacts, PassOverOtherDriversAndOtherCounters) {
  auto counters = lease_counters(2000, 77);
  counters.push_back(counter(protocol::lease_expiry_counter_type, "nonsense", 1));
  counters.push_back(counter(1001, lease_counters(1000, 78)[0].label, 1));
  EXPECT_TRUE(leases_in(counters, 1000, 10).empty());
}

TEST(CounterFacts, AreBounded) {
  std::vector<CounterValue> counters;
  for (std::uint64_t id = 1; id <= 20; ++id) {
    for (auto& one : lease_counters(1000, id)) counters.push_back(one);
    counters.push_back(counter(first_producer_counter_type + 1,
                               to_label({1000, Role::producer, static_cast<std::uint32_t>(id), 5}, "bytes"), 1));
  }
  EXPECT_EQ(leases_in(counters, 1000, 10).size(), 10U);
  EXPECT_EQ(clients_in(counters, 1000, 10).size(), 10U);
}

TEST(CounterFacts, TellBytesOfBothAndLossesOfAConsumerByCause) {
  const std::vector<CounterValue> counters{
      counter(first_producer_counter_type + 1, to_label({1000, Role::producer, 7, 5}, "bytes"), 4096),
      counter(first_consumer_counter_type + 7, to_label({1000, Role::consumer, 9, 5}, "lost gap"), 3),
      counter(first_consumer_counter_type + 10, to_label({1000, Role::consumer, 9, 5}, "lost late"), 4),
      counter(first_consumer_counter_type, to_label({1000, Role::consumer, 9, 5}, "delivered"), 100),
      counter(first_consumer_counter_type + 16, to_label({1000, Role::consumer, 9, 5}, "bytes"), 512),
      counter(first_consumer_counter_type + 17, to_label({1000, Role::consumer, 9, 5}, "latency samples"), 10),
      counter(first_consumer_counter_type + 18, to_label({1000, Role::consumer, 9, 5}, "latency sum ns"), 5000),
      counter(first_consumer_counter_type, to_label({2000, Role::consumer, 8, 5}, "lost gap"), 100),
  };
  const auto clients = clients_in(counters, 1000, 10);
  ASSERT_EQ(clients.size(), 2U);
  EXPECT_EQ(clients[0].client_id, 7U);
  EXPECT_EQ(clients[0].bytes, 4096U);
  EXPECT_FALSE(clients[0].lost);
  EXPECT_EQ(clients[1].client_id, 9U);
  EXPECT_EQ(clients[1].bytes, 512U);
  EXPECT_EQ(clients[1].latency_samples, 10U);
  EXPECT_EQ(clients[1].latency_sum_ns, 5000U);
  ASSERT_TRUE(clients[1].lost);
  EXPECT_EQ((*clients[1].lost)[static_cast<std::size_t>(LossCause::gap)], 3U);
  EXPECT_EQ((*clients[1].lost)[static_cast<std::size_t>(LossCause::late)], 4U);
}

}  // namespace
}  // namespace tensorpool::detail
