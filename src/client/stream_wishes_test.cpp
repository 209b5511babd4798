// spec: wire 10.1.2, 10.1.3
#include "client/stream_wishes.hpp"

#include <gtest/gtest.h>

namespace tensorpool::detail {
namespace {

using Kind = StreamWishes::Outcome::Kind;

class StreamWishesTest : public testing::Test {
 protected:
  StreamWishes wishes(ConsumerOptions options = {}) { return StreamWishes(options, client); }
  // What a driver would answer to that hello.
  static protocol::ConsumerConfig echo(const protocol::ConsumerHello& hello, std::uint32_t stream = 0) {
    protocol::ConsumerConfig config;
    config.stream_id = hello.stream_id;
    config.consumer_id = hello.consumer_id;
    config.use_shm = hello.supports_shm;
    config.mode = hello.mode;
    if (stream != 0) {
      config.descriptor_stream_id = stream;
      config.descriptor_channel = "aeron:ipc";
    }
    return config;
  }
  static protocol::ConsumerConfig from_supervisor(protocol::Mode mode, bool use_shm = true) {
    protocol::ConsumerConfig config;
    config.use_shm = use_shm;
    config.mode = mode;
    return config;
  }

  ClientOptions client;
};

TEST_F(StreamWishesTest, SaysItsWishesInTheHello) {
  auto wanted = wishes({.max_rate_hz = 30, .own_streams = true, .progress = ProgressHints{100, 4096, 8}});
  const auto hello = wanted.hello(5, 70);
  EXPECT_EQ(hello.stream_id, 5u);
  EXPECT_EQ(hello.consumer_id, 70u);
  EXPECT_EQ(hello.mode, protocol::Mode::rate_limited);
  EXPECT_EQ(hello.max_rate_hz, 30u);
  EXPECT_TRUE(hello.supports_shm);
  EXPECT_TRUE(hello.supports_progress);
  EXPECT_EQ(hello.progress_interval_us, 100u);
  EXPECT_EQ(hello.progress_bytes_delta, 4096u);
  EXPECT_EQ(hello.progress_major_delta_units, 8u);
  EXPECT_EQ(hello.descriptor_channel, "aeron:ipc");
  EXPECT_NE(hello.descriptor_stream_id, 0u) << "a channel without an id is no valid request";
}

TEST_F(StreamWishesTest, SaysAFractionalRateAsTheNextWholeOne) {
  EXPECT_EQ(wishes({.max_rate_hz = 0.1}).hello(5, 70).max_rate_hz, 1u);
  EXPECT_EQ(wishes({.max_rate_hz = 2.5}).hello(5, 70).max_rate_hz, 3u);
  EXPECT_EQ(wishes({.max_rate_hz = 1e300}).hello(5, 70).max_rate_hz, std::numeric_limits<std::uint32_t>::max());
  EXPECT_EQ(wishes({.max_rate_hz = 0.1}).terms().max_rate_hz, 0.1);
}

TEST_F(StreamWishesTest, AsksForNothingByDefault) {
  const auto hello = wishes().hello(5, 70);
  EXPECT_EQ(hello.mode, protocol::Mode::stream);
  EXPECT_EQ(hello.max_rate_hz, 0u);
  EXPECT_FALSE(hello.supports_progress);
  EXPECT_FALSE(hello.progress_interval_us);
  EXPECT_TRUE(hello.descriptor_channel.empty());
  EXPECT_EQ(hello.descriptor_stream_id, 0u);
}

TEST_F(StreamWishesTest, TakesTheStreamThatItIsGrantedAndAsksForItAgain) {
  auto wanted = wishes({.own_streams = true});
  const auto hello = wanted.hello(5, 70);
  EXPECT_EQ(wanted.on(echo(hello, 31007)).kind, Kind::changed);
  EXPECT_EQ(wanted.terms().descriptor_stream_id, 31007u);
  EXPECT_EQ(wanted.descriptor_stream().channel, "aeron:ipc");
  EXPECT_EQ(wanted.hello(5, 70).descriptor_stream_id, 31007u);
  EXPECT_EQ(wanted.on(echo(hello, 31007)).kind, Kind::none);
  wanted.lease_ended();
  EXPECT_EQ(wanted.terms().descriptor_stream_id, 0u);
  EXPECT_EQ(wanted.on(echo(hello, 31008)).kind, Kind::changed);
}

TEST_F(StreamWishesTest, AsksForAControlStreamOfItsOwnOnlyToHearProgressOnIt) {
  EXPECT_EQ(wishes({.own_streams = true}).hello(5, 70).control_stream_id, 0u);
  EXPECT_EQ(wishes({.progress = ProgressHints{}}).hello(5, 70).control_stream_id, 0u);
  auto wanted = wishes({.own_streams = true, .progress = ProgressHints{}});
  const auto hello = wanted.hello(5, 70);
  EXPECT_EQ(hello.control_channel, "aeron:ipc");
  EXPECT_NE(hello.control_stream_id, 0u) << "a channel without an id is no valid request";
  auto config = echo(hello, 31007);
  config.control_channel = "aeron:ipc";
  config.control_stream_id = 31007;
  EXPECT_NE(wanted.on(config).message.find("for descriptors and for control"), std::string::npos);
  config.control_stream_id = 1000;
  EXPECT_NE(wanted.on(config).message.find("one of the shared ones"), std::string::npos);
  config.control_stream_id = 32007;
  EXPECT_EQ(wanted.on(config).kind, Kind::changed);
  EXPECT_EQ(wanted.terms().control_stream_id, 32007u);
  EXPECT_EQ(wanted.control_stream().channel, "aeron:ipc");
  EXPECT_EQ(wanted.hello(5, 70).control_stream_id, 32007u);
  config.control_stream_id = 32008;
  EXPECT_NE(wanted.on(config).message.find("in place of 32007"), std::string::npos);
  wanted.lease_ended();
  EXPECT_EQ(wanted.terms().control_stream_id, 0u);
}

TEST_F(StreamWishesTest, LeavesAGrantedStreamAloneWhenASupervisorNamesNone) {
  auto wanted = wishes({.own_streams = true});
  wanted.on(echo(wanted.hello(5, 70), 31007));
  EXPECT_EQ(wanted.on(from_supervisor(protocol::Mode::stream)).kind, Kind::none);
  EXPECT_EQ(wanted.terms().descriptor_stream_id, 31007u);
}

TEST_F(StreamWishesTest, IsDeclinedWhenTheAnswersToTwoHellosNameNone) {
  auto wanted = wishes({.own_streams = true});
  EXPECT_EQ(wanted.on(echo(wanted.hello(5, 70))).kind, Kind::none);  // may have been a supervisor's
  EXPECT_EQ(wanted.on(echo(wanted.hello(5, 70))).kind, Kind::declined);
  EXPECT_EQ(wanted.on(echo(wanted.hello(5, 70))).kind, Kind::none) << "told once";
  EXPECT_EQ(wanted.on(echo(wanted.hello(5, 70), 31000)).kind, Kind::changed) << "a range may become free";
}

TEST_F(StreamWishesTest, RefusesStreamsThatCannotBeItsOwn) {
  const auto refusal = [&](std::uint32_t id, const std::string& channel) {
    auto wanted = wishes({.own_streams = true});
    auto config = echo(wanted.hello(5, 70));
    config.descriptor_stream_id = id;
    config.descriptor_channel = channel;
    config.use_shm = false;  // nothing of a refused one counts
    const auto outcome = wanted.on(config);
    EXPECT_TRUE(wanted.terms().use_shm);
    EXPECT_EQ(wanted.terms().descriptor_stream_id, 0u);
    return outcome.kind == Kind::refused ? outcome.message : "accepted";
  };
  EXPECT_NE(refusal(31000, "").find("not both"), std::string::npos);
  EXPECT_NE(refusal(0, "aeron:ipc").find("not both"), std::string::npos);
  EXPECT_NE(refusal(0x80000000U, "aeron:ipc").find("out of range"), std::string::npos);
  EXPECT_NE(refusal(0xFFFFFFFFU, "aeron:ipc").find("out of range"), std::string::npos);
  for (const std::uint32_t shared : {1000U, 1100U, 1200U, 1300U}) {
    EXPECT_NE(refusal(shared, "aeron:ipc").find("one of the shared ones"), std::string::npos) << shared;
  }
  EXPECT_NE(refusal(31000, "aeron:udp?endpoint=192.168.0.66:4711").find("foreign"), std::string::npos);
  EXPECT_NE(refusal(31000, "aeron:ipc?session-id=7").find("foreign"), std::string::npos);
  EXPECT_NE(refusal(31000, "http://example.org").find("must begin with aeron:"), std::string::npos);
  EXPECT_NE(refusal(31000, "aeron:ipc?alias=" + std::string(1 << 20, 'x')).find("longer than"), std::string::npos);
}

TEST_F(StreamWishesTest, TakesNobodyElsesChannelSettings) {
  auto wanted = wishes({.own_streams = true});
  auto config = echo(wanted.hello(5, 70), 31000);
  config.descriptor_channel = "aeron:ipc?term-length=1g";
  EXPECT_EQ(wanted.on(config).kind, Kind::changed);
  EXPECT_EQ(wanted.descriptor_stream().channel, "aeron:ipc");
}

TEST_F(StreamWishesTest, FollowsTheConfiguredChannelWhateverItIs) {
  client.descriptor.channel = "aeron:udp?endpoint=224.0.1.1:40456";
  auto wanted = wishes({.own_streams = true});
  auto config = echo(wanted.hello(5, 70), 31000);
  config.descriptor_channel = client.descriptor.channel;
  EXPECT_EQ(wanted.on(config).kind, Kind::changed);
  EXPECT_EQ(wanted.descriptor_stream().channel, client.descriptor.channel);
}

TEST_F(StreamWishesTest, RefusesStreamsThatItDidNotAskForAndAChangeOfThoseItHas) {
  auto modest = wishes();
  EXPECT_EQ(modest.on(echo(modest.hello(5, 70), 31000)).kind, Kind::refused);
  auto wanted = wishes({.own_streams = true});
  wanted.on(echo(wanted.hello(5, 70), 31000));
  const auto outcome = wanted.on(echo(wanted.hello(5, 70), 31001));
  EXPECT_EQ(outcome.kind, Kind::refused);
  EXPECT_NE(outcome.message.find("in place of 31000"), std::string::npos);
  EXPECT_EQ(wanted.terms().descriptor_stream_id, 31000u);
}

TEST_F(StreamWishesTest, LetsASupervisorChangeTheModeAndSaysSoInTheNextHello) {
  auto wanted = wishes({.max_rate_hz = 30, .mode = ConsumerMode::stream});
  const auto hello = wanted.hello(5, 70);
  EXPECT_EQ(hello.mode, protocol::Mode::stream);
  const auto outcome = wanted.on(from_supervisor(protocol::Mode::rate_limited));
  EXPECT_EQ(outcome.kind, Kind::changed);
  EXPECT_NE(outcome.message.find("at most 30 Hz"), std::string::npos);
  EXPECT_EQ(wanted.terms().mode, ConsumerMode::rate_limited);
  EXPECT_EQ(wanted.on(echo(hello)).kind, Kind::none) << "the driver repeats the hello from before";
  EXPECT_EQ(wanted.terms().mode, ConsumerMode::rate_limited);
  EXPECT_EQ(wanted.hello(5, 70).mode, protocol::Mode::rate_limited);
  EXPECT_EQ(wanted.on(from_supervisor(protocol::Mode::stream)).kind, Kind::changed);
  EXPECT_EQ(wanted.terms().mode, ConsumerMode::stream);
}

TEST_F(StreamWishesTest, SaysThatARateLimitWithoutARateLimitsNothing) {
  auto wanted = wishes();
  EXPECT_NE(wanted.on(from_supervisor(protocol::Mode::rate_limited)).message.find("max_rate_hz"), std::string::npos);
}

TEST_F(StreamWishesTest, StopsAndResumesReadingSharedMemoryAsToldAndKeepsTheFallback) {
  auto wanted = wishes();
  const auto hello = wanted.hello(5, 70);
  auto config = from_supervisor(protocol::Mode::stream, false);
  config.payload_fallback_uri = "bridge://7";
  const auto outcome = wanted.on(config);
  EXPECT_EQ(outcome.kind, Kind::changed);
  EXPECT_NE(outcome.message.find("shared memory is not read"), std::string::npos);
  EXPECT_NE(outcome.message.find("bridge://7"), std::string::npos);
  EXPECT_FALSE(wanted.terms().use_shm);
  EXPECT_EQ(wanted.terms().payload_fallback_uri, "bridge://7");
  EXPECT_EQ(wanted.on(echo(hello)).kind, Kind::none);
  EXPECT_FALSE(wanted.hello(5, 70).supports_shm);
  EXPECT_EQ(wanted.on(from_supervisor(protocol::Mode::stream, true)).kind, Kind::changed);
  EXPECT_TRUE(wanted.terms().use_shm);
  EXPECT_TRUE(wanted.terms().payload_fallback_uri.empty());
}

TEST_F(StreamWishesTest, NeverReadsSharedMemoryThatItDoesNotSupport) {
  auto wanted = wishes({.supports_shm = false});
  EXPECT_FALSE(wanted.hello(5, 70).supports_shm);
  EXPECT_EQ(wanted.on(from_supervisor(protocol::Mode::stream, true)).kind, Kind::none);
  EXPECT_FALSE(wanted.terms().use_shm);
}

TEST_F(StreamWishesTest, RefusesAFallbackThatIsNoUri) {
  auto wanted = wishes();
  wanted.hello(5, 70);
  auto config = from_supervisor(protocol::Mode::rate_limited, false);
  config.payload_fallback_uri = std::string(5000, 'x');
  EXPECT_EQ(wanted.on(config).kind, Kind::refused);
  config.payload_fallback_uri = "bridge://\x1b[2J";
  EXPECT_EQ(wanted.on(config).kind, Kind::refused);
  EXPECT_TRUE(wanted.terms().use_shm);
  EXPECT_EQ(wanted.terms().mode, ConsumerMode::stream);
}

}  // namespace
}  // namespace tensorpool::detail
