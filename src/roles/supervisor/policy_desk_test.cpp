#include "roles/supervisor/policy_desk.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "support/time_units.hpp"

namespace tensorpool::supervisor {
namespace {

using protocol::ConsumerConfig;
using protocol::ConsumerHello;
using protocol::Mode;

class Desk : public testing::Test {
 protected:
  static PolicyDesk::Settings settings(std::vector<SupervisorPolicy> policies) {
    PolicyDesk::Settings made;
    made.policies = std::move(policies);
    made.max_consumers = 8;
    made.configs_per_second = 4;
    return made;
  }
  void use(std::vector<SupervisorPolicy> policies) { desk.emplace(settings(std::move(policies))); }
  static ConsumerHello hello(std::uint32_t consumer, Mode mode = Mode::stream, std::uint32_t stream = 5) {
    ConsumerHello made;
    made.stream_id = stream;
    made.consumer_id = consumer;
    made.supports_shm = true;
    made.mode = mode;
    return made;
  }
  static ConsumerHello hello_for_own_streams(std::uint32_t consumer) {
    ConsumerHello made = hello(consumer);
    made.descriptor_stream_id = 31000;
    made.descriptor_channel = "aeron:ipc";
    return made;
  }
  static ConsumerConfig grant(std::uint32_t consumer) {
    ConsumerConfig made;
    made.stream_id = 5;
    made.consumer_id = consumer;
    made.use_shm = true;
    made.descriptor_stream_id = 31007;
    made.descriptor_channel = "aeron:ipc";
    return made;
  }
  static protocol::QosConsumer qos(std::uint32_t consumer, Mode mode) { return {5, consumer, 1, 1, 0, 0, mode}; }
  static protocol::ShmLeaseKeepalive keepalive(std::uint32_t consumer, std::uint64_t lease) {
    return {lease, 5, consumer, protocol::Role::consumer, 0};
  }

  // What goes out now.
  std::vector<ConsumerConfig> told() {
    std::vector<ConsumerConfig> configs;
    const int count = desk->work(
        now, 100,
        [&](const ConsumerConfig& config) {
          if (!sending) return false;
          configs.push_back(config);
          return true;
        },
        [&](std::uint32_t, std::uint32_t consumer) { ignoring.push_back(consumer); });
    EXPECT_EQ(static_cast<std::size_t>(count), configs.size());
    return configs;
  }

  SupervisorPolicy slow{.stream_id = 5, .rate_limited = true};
  std::optional<PolicyDesk> desk{settings({slow})};
  Nanos now = 1000 * second;
  bool sending = true;
  std::vector<std::uint32_t> ignoring;
};

TEST_F(Desk, TellsAConsumerThatDoesOtherwise) {
  desk->on(hello(9), now);
  const auto configs = told();
  ASSERT_EQ(configs.size(), 1U);
  EXPECT_EQ(configs[0].stream_id, 5U);
  EXPECT_EQ(configs[0].consumer_id, 9U);
  EXPECT_EQ(configs[0].mode, Mode::rate_limited);
  EXPECT_TRUE(configs[0].use_shm);
  EXPECT_EQ(configs[0].descriptor_stream_id, 0U) << "it assigns none";
}

TEST_F(Desk, LeavesAConsumerAloneThatDoesWhatItsPolicySays) {
  desk->on(hello(9, Mode::rate_limited), now);
  EXPECT_TRUE(told().empty());
}

TEST_F(Desk, LeavesAConsumerAloneThatHasNoPolicy) {
  desk->on(hello(9, Mode::stream, 6), now);
  EXPECT_TRUE(told().empty());
}

TEST_F(Desk, StopsWhenTheConsumerFollows) {
  desk->on(hello(9), now);
  EXPECT_EQ(told().size(), 1U);
  for (int i = 0; i < 20; ++i) {
    now += second;
    desk->on(qos(9, Mode::rate_limited), now);
    desk->on(hello(9), now);  // its hello says what it once wished
    EXPECT_TRUE(told().empty());
  }
}

TEST_F(Desk, TellsLessAndLessOftenWhoDoesNotFollow) {
  std::vector<Nanos> times;
  const Nanos begin = now;
  for (; now < begin + 200 * second; now += second / 4) {
    desk->on(qos(9, Mode::stream), now);
    desk->on(hello(9), now);
    if (!told().empty()) times.push_back(now - begin);
  }
  const std::vector<Nanos> expected{0,           second,      3 * second,   7 * second,  15 * second,
                                    31 * second, 63 * second, 123 * second, 183 * second};
  EXPECT_EQ(times, expected);
  EXPECT_EQ(ignoring, std::vector<std::uint32_t>{9});
  EXPECT_EQ(desk->stats().configs_ignored, 1U);
}

// Two supervisors that disagree do not turn a consumer to and fro each second for ever.
TEST_F(Desk, TellsLessAndLessOftenWhomAnotherOneTellsOtherwise) {
  int configs = 0;
  for (const Nanos begin = now; now < begin + 200 * second; now += second / 4) {
    desk->on(qos(9, Mode::stream), now);  // as the other one said
    desk->on(hello(9), now);
    if (told().empty()) continue;
    ++configs;
    desk->on(qos(9, Mode::rate_limited), now);
    EXPECT_TRUE(told().empty());
  }
  EXPECT_EQ(configs, 9);
  EXPECT_EQ(ignoring, std::vector<std::uint32_t>{9}) << "its operator is told once";
}

TEST_F(Desk, ForgivesAConsumerThatFollowedForAWhile) {
  for (int i = 0; i < 3; ++i) {
    desk->on(hello(9), now);
    EXPECT_EQ(told().size(), 1U) << i;
    desk->on(qos(9, Mode::rate_limited), now);
    now += 2 * second;
    EXPECT_TRUE(told().empty());
    desk->on(qos(9, Mode::stream), now);  // it was started anew, say
  }
}

TEST_F(Desk, TriesAgainWhatCouldNotBeSent) {
  desk->on(hello(9), now);
  sending = false;
  EXPECT_TRUE(told().empty());
  EXPECT_EQ(desk->stats().configs_unsent, 1U);
  sending = true;
  EXPECT_EQ(told().size(), 1U);
}

TEST_F(Desk, TellsAConsumerOnceWhereItsFramesAre) {
  use({{.use_shm = false, .payload_fallback_uri = "aeron:udp?endpoint=h:1"}});
  for (int i = 0; i < 5; ++i) {
    desk->on(hello(9), now);
    const auto configs = told();
    ASSERT_EQ(configs.size(), i == 0 ? 1U : 0U);
    if (i == 0) {
      EXPECT_FALSE(configs[0].use_shm);
      EXPECT_EQ(configs[0].payload_fallback_uri, "aeron:udp?endpoint=h:1");
    }
    now += second;
  }
  desk->on(grant(9), now);  // says that it shall use shared memory
  EXPECT_EQ(desk->stats().strangers, 1U) << "it did not ask for streams";
}

TEST_F(Desk, TakesTheFirstPolicyThatMatches) {
  use({{.consumer_id = 9}, {.rate_limited = true}});
  desk->on(hello(9), now);
  desk->on(hello(10), now);
  const auto configs = told();
  ASSERT_EQ(configs.size(), 1U);
  EXPECT_EQ(configs[0].consumer_id, 10U);
}

TEST_F(Desk, RepeatsTheStreamsThatTheDriverGranted) {
  desk->on(keepalive(9, 77), now);
  desk->on(hello_for_own_streams(9), now);
  EXPECT_TRUE(told().empty()) << "without the driver's answer, a config would decline them";
  desk->on(grant(9), now);
  const auto configs = told();
  ASSERT_EQ(configs.size(), 1U);
  EXPECT_EQ(configs[0].descriptor_stream_id, 31007U);
  EXPECT_EQ(configs[0].descriptor_channel, "aeron:ipc");
  EXPECT_EQ(configs[0].control_stream_id, 0U);
}

TEST_F(Desk, ForgetsGrantedStreamsWithTheirLease) {
  desk->on(keepalive(9, 77), now);
  desk->on(hello_for_own_streams(9), now);
  desk->on(grant(9), now);
  desk->on(keepalive(9, 78), now);
  EXPECT_TRUE(told().empty()) << "the driver has yet to answer for the new lease";
  now += 4 * second;
  const auto configs = told();
  ASSERT_EQ(configs.size(), 1U);
  EXPECT_EQ(configs[0].descriptor_stream_id, 0U);
}

TEST_F(Desk, IgnoresConfigsThatGrantWhatNobodyAskedFor) {
  desk->on(grant(9), now);
  desk->on(hello(9), now);
  desk->on(grant(9), now);
  EXPECT_EQ(desk->stats().strangers, 2U);
  EXPECT_EQ(told().at(0).descriptor_stream_id, 0U);
  ConsumerConfig endless = grant(10);
  endless.descriptor_channel.assign(100'000, 'x');
  desk->on(hello_for_own_streams(10), now);
  desk->on(endless, now);
  EXPECT_EQ(desk->stats().strangers, 3U);
}

TEST_F(Desk, ContradictsWhoTellsAConsumerOtherwise) {
  use({{.use_shm = false}});
  desk->on(hello(9), now);
  EXPECT_EQ(told().size(), 1U);
  ConsumerConfig other;
  other.stream_id = 5;
  other.consumer_id = 9;
  other.use_shm = true;
  desk->on(other, now);
  EXPECT_TRUE(told().empty()) << "not within the interval";
  now += second;
  EXPECT_EQ(told().size(), 1U);
}

TEST_F(Desk, AnswersAFloodOfHellosWithFewConfigs) {
  desk->on(keepalive(9, 77), now);
  desk->on(hello(9), now);
  std::size_t sent = 0;
  for (std::uint32_t id = 100; id < 10'100; ++id) {
    desk->on(hello(id), now);
    for (const auto& config : told()) {
      ++sent;
      EXPECT_TRUE(sent > 1 || config.consumer_id == 9U) << "who has a lease comes first";
    }
  }
  EXPECT_EQ(sent, 4U);
  EXPECT_EQ(desk->stats().untracked, 10'000U - 7U);
  now += 31 * second;
  desk->check(now);
  desk->on(hello(20'000), now);
  EXPECT_EQ(told().size(), 1U) << "those who are silent are forgotten";
}

TEST_F(Desk, StartsAnewWithAConsumerWhoseLeaseEnded) {
  desk->on(keepalive(9, 77), now);
  desk->on(hello(9), now);
  EXPECT_EQ(told().size(), 1U);
  desk->on(protocol::ShmLeaseRevoked{0, 77, 5, 9, protocol::Role::consumer, protocol::LeaseRevokeReason::detached, {}},
           now);
  desk->on(hello(9), now);
  EXPECT_EQ(told().size(), 1U);
}

}  // namespace
}  // namespace tensorpool::supervisor
