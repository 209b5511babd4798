#include "transport/channel_uri.hpp"

#include <gtest/gtest.h>

namespace tensorpool::transport {
namespace {

std::string text_of(Result<std::string> result) {
  return result ? std::move(result).value() : "error: " + std::move(result).error().message;
}

std::string refusal_of(std::string_view uri) {
  Result<ChannelUri> result = ChannelUri::parse(uri);
  if (result) return "accepted";
  EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
  return result.error().message;
}

// spec: aeron.md D4, D5. A changed string changes memory use and eviction on every machine.
TEST(ChannelUri, ControlAnnounceAndQosGetASmallLog) {
  EXPECT_EQ(text_of(control_channel("aeron:ipc")), "aeron:ipc?term-length=64k|sparse=false");
  EXPECT_EQ(text_of(announce_channel("aeron:ipc")), "aeron:ipc?term-length=64k|sparse=false");
  EXPECT_EQ(text_of(qos_channel("aeron:ipc")), "aeron:ipc?term-length=64k|sparse=false");
}

TEST(ChannelUri, DriversAndMetadataGetAMebibyte) {
  EXPECT_EQ(text_of(driver_channel("aeron:ipc")), "aeron:ipc?term-length=1m|sparse=false");
  EXPECT_EQ(text_of(metadata_channel("aeron:ipc")), "aeron:ipc?term-length=1m|sparse=false");
}

TEST(ChannelUri, DescriptorPublicationsEvictSlowReaders) {
  EXPECT_EQ(text_of(descriptor_publication_channel("aeron:ipc")),
            "aeron:ipc?term-length=4m|sparse=false|untethered-window-limit-timeout=50ms|"
            "untethered-linger-timeout=50ms|untethered-resting-timeout=1s");
}

TEST(ChannelUri, AConsumersOwnDescriptorsTakeASmallLog) {
  EXPECT_EQ(text_of(own_descriptor_publication_channel("aeron:ipc")), "aeron:ipc?term-length=256k|sparse=false");
}

TEST(ChannelUri, DescriptorSubscriptionsMayBeEvicted) {
  EXPECT_EQ(text_of(descriptor_subscription_channel("aeron:ipc")), "aeron:ipc?tether=false");
}

TEST(ChannelUri, KeysOfTheUserWinAndComeFirst) {
  EXPECT_EQ(text_of(control_channel("aeron:ipc?term-length=128k")), "aeron:ipc?term-length=128k|sparse=false");
  EXPECT_EQ(text_of(control_channel("aeron:ipc?alias=a|sparse=true")), "aeron:ipc?alias=a|sparse=true|term-length=64k");
  EXPECT_EQ(text_of(descriptor_publication_channel("aeron:ipc?term-length=16m|untethered-resting-timeout=2s")),
            "aeron:ipc?term-length=16m|untethered-resting-timeout=2s|sparse=false|"
            "untethered-window-limit-timeout=50ms|untethered-linger-timeout=50ms");
  EXPECT_EQ(text_of(descriptor_subscription_channel("aeron:ipc?tether=true")), "aeron:ipc?tether=true");
}

TEST(ChannelUri, OtherMediaPassAsTheyAre) {
  constexpr std::string_view uri = "aeron:udp?endpoint=224.20.30.39:24326|interface=localhost";
  for (const auto build : {control_channel, announce_channel, driver_channel, qos_channel, metadata_channel,
                           descriptor_publication_channel, descriptor_subscription_channel}) {
    EXPECT_EQ(text_of(build(uri)), uri);
  }
}

TEST(ChannelUri, BuildingTwiceChangesNothing) {
  const std::string once = text_of(descriptor_publication_channel("aeron:ipc"));
  EXPECT_EQ(text_of(descriptor_publication_channel(once)), once);
}

TEST(ChannelUri, ParsesAndPrintsTheSame) {
  for (const std::string_view uri :
       {"aeron:ipc", "aeron:udp?endpoint=localhost:40123", "aeron:ipc?session-id=-7|linger=0"}) {
    const Result<ChannelUri> parsed = ChannelUri::parse(uri);
    ASSERT_TRUE(parsed) << uri;
    EXPECT_EQ(parsed->str(), uri);
  }
}

TEST(ChannelUri, FindsAndReplacesValues) {
  Result<ChannelUri> uri = ChannelUri::parse("aeron:ipc?mtu=8k");
  ASSERT_TRUE(uri);
  ASSERT_NE(uri->find("mtu"), nullptr);
  EXPECT_EQ(*uri->find("mtu"), "8k");
  EXPECT_EQ(uri->find("alias"), nullptr);
  EXPECT_EQ(uri->set("mtu", "4k").set("alias", "x").str(), "aeron:ipc?mtu=4k|alias=x");
}

TEST(ChannelUri, RefusesWhatIsNoAeronChannel) {
  EXPECT_EQ(refusal_of(""), "channel \"\": is empty; for shared memory write aeron:ipc");
  EXPECT_EQ(refusal_of("ipc"), "channel \"ipc\": must begin with aeron:, as in aeron:ipc");
  EXPECT_EQ(refusal_of("aeron:tcp"), "channel \"aeron:tcp\": the medium must be ipc or udp, as in aeron:ipc");
  EXPECT_EQ(refusal_of("aeron:IPC"), "channel \"aeron:IPC\": the medium must be ipc or udp, as in aeron:ipc");
  EXPECT_NE(refusal_of("aeron:ipc?alias=a b").find("holds a space"), std::string::npos);
  EXPECT_NE(refusal_of(std::string_view("aeron:ipc\0", 10)).find("control character"), std::string::npos);
  EXPECT_NE(refusal_of("aeron:ipc?alias=" + std::string(5000, 'x')).find("longer than 4095"), std::string::npos);
}

TEST(ChannelUri, RefusesWhatAeronWouldSilentlyIgnore) {
  EXPECT_EQ(
      refusal_of("aeron:ipc?term-lenght=64k"),
      "channel \"aeron:ipc?term-lenght=64k\": Aeron does not know the key term-lenght; did you mean term-length?");
  EXPECT_EQ(refusal_of("aeron:ipc?tether=maybe"),
            "channel \"aeron:ipc?tether=maybe\": tether must be true or false, not maybe");
  EXPECT_NE(refusal_of("aeron:ipc?tether=true|tether=false").find("tether appears twice"), std::string::npos);
  EXPECT_NE(refusal_of("aeron:ipc?").find("nothing follows"), std::string::npos);
  EXPECT_NE(refusal_of("aeron:ipc?alias=a|").find("ends in a separator"), std::string::npos);
  EXPECT_NE(refusal_of("aeron:ipc?|alias=a").find("a key is empty"), std::string::npos);
  EXPECT_NE(refusal_of("aeron:ipc?alias").find("alias has no value"), std::string::npos);
  EXPECT_NE(refusal_of("aeron:ipc?alias=").find("alias has no value"), std::string::npos);
}

TEST(ChannelUri, RefusesValuesOfTheWrongForm) {
  for (const std::string_view value : {"3m", "32k", "2g", "64kb", "-1", "k", "99999999999999999999"}) {
    EXPECT_NE(refusal_of("aeron:ipc?term-length=" + std::string(value)), "accepted") << value;
  }
  for (const std::string_view value : {"65536", "64K", "1G", "4m"}) {
    EXPECT_EQ(refusal_of("aeron:ipc?term-length=" + std::string(value)), "accepted") << value;
  }
  EXPECT_NE(refusal_of("aeron:ipc?linger=1h"), "accepted");
  EXPECT_NE(refusal_of("aeron:udp?endpoint=h:1|ttl=two"), "accepted");
  EXPECT_EQ(refusal_of("aeron:ipc?linger=250us"), "accepted");
}

}  // namespace
}  // namespace tensorpool::transport
