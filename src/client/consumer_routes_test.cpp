// spec: wire 10.1.3
#include "client/consumer_routes.hpp"

#include <gtest/gtest.h>

#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

class ConsumerRoutesTest : public testing::Test {
 protected:
  static protocol::ConsumerHello hello(std::uint32_t consumer, std::uint32_t rate_hz = 0, std::uint32_t names = 31000) {
    protocol::ConsumerHello made;
    made.stream_id = 5;
    made.consumer_id = consumer;
    made.mode = rate_hz != 0 ? protocol::Mode::rate_limited : protocol::Mode::stream;
    made.max_rate_hz = rate_hz;
    made.descriptor_channel = "aeron:ipc";
    made.descriptor_stream_id = names;
    return made;
  }
  static protocol::ConsumerConfig config(std::uint32_t consumer, std::uint32_t stream,
                                         const std::string& channel = "aeron:ipc") {
    protocol::ConsumerConfig made;
    made.stream_id = 5;
    made.consumer_id = consumer;
    made.descriptor_stream_id = stream;
    made.descriptor_channel = channel;
    return made;
  }
  void serve(std::uint32_t consumer, std::uint32_t stream, std::uint32_t rate_hz = 0) {
    routes.on(hello(consumer, rate_hz), 0);
    EXPECT_TRUE(routes.on(config(consumer, stream), 0));
  }

  ClientOptions client;
  ConsumerRoutes routes{client, 5 * second};
};

TEST_F(ConsumerRoutesTest, TakesAHelloThatAsksAndAConfigThatGrants) {
  EXPECT_TRUE(routes.on(config(70, 31000), 0));
  EXPECT_TRUE(routes.wanted().empty()) << "nobody asked";
  routes.on(hello(70, 30), 0);
  EXPECT_TRUE(routes.wanted().empty()) << "nobody granted";
  const auto before = routes.version();
  EXPECT_TRUE(routes.on(config(70, 31000), 0));
  EXPECT_NE(routes.version(), before);
  ASSERT_EQ(routes.wanted().size(), 1u);
  EXPECT_EQ(routes.wanted()[0].consumer_id, 70u);
  EXPECT_EQ(routes.wanted()[0].where.stream_id, 31000);
  EXPECT_EQ(routes.wanted()[0].max_rate_hz, 30u);
}

// Found by the simulation, seed 4244: two consumers read each other's streams, one of them at the other's rate.
TEST_F(ConsumerRoutesTest, FollowsConsumersThatWereGrantedOtherStreamsUnheard) {
  serve(70, 31000);
  routes.on(hello(71, 10, 31001), 0);
  EXPECT_TRUE(routes.on(config(71, 31001), 0));
  // Their leases ended, and they were granted each other's.
  routes.on(hello(70, 0, 31001), second);
  EXPECT_FALSE(routes.on(config(70, 31001), second)) << "71 has not said so yet";
  routes.on(hello(71, 10, 31000), second);
  EXPECT_TRUE(routes.on(config(71, 31000), second));
  EXPECT_TRUE(routes.on(config(70, 31001), second));
  ASSERT_EQ(routes.wanted().size(), 2u);
  for (const auto& route : routes.wanted()) {
    EXPECT_EQ(route.where.stream_id, route.consumer_id == 70 ? 31001 : 31000);
    EXPECT_EQ(route.max_rate_hz, route.consumer_id == 70 ? 0u : 10u);
  }
}

TEST_F(ConsumerRoutesTest, ChangesNothingWhenTheAnswerIsRepeatedOrASupervisorNamesNoStream) {
  serve(70, 31000);
  const auto before = routes.version();
  routes.on(hello(70), second);
  EXPECT_TRUE(routes.on(config(70, 31000), second));
  EXPECT_TRUE(routes.on(config(70, 0, ""), second));
  EXPECT_EQ(routes.version(), before);
  EXPECT_EQ(routes.wanted().size(), 1u);
}

TEST_F(ConsumerRoutesTest, TellsDescriptorAndControlStreamsApart) {
  auto both = hello(70);
  both.control_channel = "aeron:ipc";
  both.control_stream_id = 32000;
  routes.on(both, 0);
  auto granted = config(70, 31000);
  granted.control_channel = "aeron:ipc";
  granted.control_stream_id = 31000;
  EXPECT_NE(routes.on(granted, 0).error().message.find("is consumer 70's"), std::string::npos);
  granted.control_stream_id = 32000;
  EXPECT_TRUE(routes.on(granted, 0));
  ASSERT_EQ(routes.wanted().size(), 2u);
  EXPECT_EQ(routes.wanted()[0].kind, ConsumerRoutes::Kind::descriptor);
  EXPECT_EQ(routes.wanted()[1].kind, ConsumerRoutes::Kind::control);
  EXPECT_EQ(routes.wanted()[1].where.stream_id, 32000);
  routes.on(hello(70), 0);  // no progress any more
  EXPECT_EQ(routes.wanted().size(), 1u);
  granted.control_stream_id = 32000;
  EXPECT_TRUE(routes.on(granted, 0));
  EXPECT_EQ(routes.wanted().size(), 1u) << "nobody asks for it";
}

TEST_F(ConsumerRoutesTest, PacesWhoIsRateLimitedAndNobodyElse) {
  serve(70, 31000);
  EXPECT_EQ(routes.wanted()[0].max_rate_hz, 0u);
  auto limited = hello(70, 10);
  const auto before = routes.version();
  routes.on(limited, 0);
  EXPECT_NE(routes.version(), before);
  EXPECT_EQ(routes.wanted()[0].max_rate_hz, 10u);
  limited.mode = protocol::Mode::stream;  // max_rate_hz counts only in mode RATE_LIMITED
  routes.on(limited, 0);
  EXPECT_EQ(routes.wanted()[0].max_rate_hz, 0u);
}

TEST_F(ConsumerRoutesTest, ForgetsWhoIsGoneOrSilentOrContentWithTheSharedStream) {
  serve(70, 31000);
  serve(71, 31001);
  serve(72, 31002);
  routes.on_gone(70);
  EXPECT_EQ(routes.wanted().size(), 2u);
  auto content = hello(71);
  content.descriptor_channel.clear();
  content.descriptor_stream_id = 0;
  routes.on(content, second);
  EXPECT_EQ(routes.wanted().size(), 1u);
  routes.on_alive(72, 4 * second);
  routes.expire(9 * second);
  EXPECT_EQ(routes.wanted().size(), 1u);
  routes.expire(9 * second + 1);
  EXPECT_TRUE(routes.wanted().empty());
}

TEST_F(ConsumerRoutesTest, RefusesForeignChannelsSharedIdsAndOtherConsumersStreams) {
  serve(70, 31000);
  routes.on(hello(71), 0);
  EXPECT_NE(routes.on(config(71, 31001, "aeron:udp?endpoint=10.6.6.6:1"), 0).error().message.find("foreign"),
            std::string::npos);
  EXPECT_FALSE(routes.on(config(71, 31001, std::string(100000, 'x')), 0));
  EXPECT_FALSE(routes.on(config(71, 1100), 0));
  EXPECT_FALSE(routes.on(config(71, 0xFFFFFFFF), 0));
  EXPECT_NE(routes.on(config(71, 31000), 0).error().message.find("is consumer 70's"), std::string::npos);
  EXPECT_NE(routes.on(config(70, 31001), 0).error().message.find("already"), std::string::npos);
  EXPECT_EQ(routes.wanted().size(), 1u);
}

TEST_F(ConsumerRoutesTest, HoldsSoManyConsumersAndNoMoreWhateverIsSaid) {
  for (std::uint32_t consumer = 1; consumer <= 10000; ++consumer) {
    routes.on(hello(consumer), 0);
    static_cast<void>(routes.on(config(consumer, 30000 + consumer), 0));
  }
  EXPECT_EQ(routes.wanted().size(), ConsumerRoutes::most_routes);
  EXPECT_EQ(routes.turned_away(), 10000 - ConsumerRoutes::most_askers);
  EXPECT_NE(routes.on(config(40, 31000), 0).error().message.find("the most"), std::string::npos);
  routes.expire(6 * second);
  serve(20000, 31000);
  EXPECT_EQ(routes.wanted().size(), 1u);
}

}  // namespace
}  // namespace tensorpool::detail
