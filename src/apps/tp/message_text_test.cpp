#include "apps/tp/message_text.hpp"

#include <gtest/gtest.h>

namespace tensorpool::apps::tp {
namespace {

using namespace protocol;

template <class Message>
Bytes bytes_of(const Message& message) {
  Bytes bytes(encoded_length(message));
  EXPECT_EQ(encode(message, std::span(bytes)), bytes.size());
  return bytes;
}
std::string text_of(std::span<const std::byte> bytes) { return to_text(protocol::describe(bytes), bytes.size()); }
Json json_of(std::span<const std::byte> bytes) { return to_json(protocol::describe(bytes), bytes.size()); }

template <class... Messages>
void expect_a_line_for_each() {
  const auto one = [](const Bytes& bytes) {
    const std::string text = text_of(bytes);
    EXPECT_EQ(text.find("malformed"), text.npos) << text;
    EXPECT_EQ(text.find('\n'), text.npos) << text;
    const Json json = json_of(bytes);
    EXPECT_EQ(text.substr(0, text.find(' ')), json["message"].get<std::string>());
    EXPECT_FALSE(json["fields"].empty()) << text;
    for (const auto& [name, value] : json["fields"].items()) EXPECT_NE(text.find(" " + name + "="), text.npos) << text;
  };
  (one(bytes_of(Messages{})), ...);
}

TEST(MessageText, HasALineForEveryMessageOfTheProtocol) {
  expect_a_line_for_each<
      ShmPoolAnnounce, ConsumerHello, ConsumerConfig, FrameDescriptor, QosConsumer, QosProducer, DataSourceAnnounce,
      DataSourceMeta, ControlResponse, MetaBlobAnnounce, FrameProgress, MetaBlobChunk, MetaBlobComplete,
      ShmAttachRequest, ShmAttachResponse, ShmDetachRequest, ShmDetachResponse, ShmLeaseKeepalive, ShmDriverShutdown,
      ShmLeaseRevoked, ShmDriverShutdownRequest, BridgeFrameChunk, SequenceMergeMapAnnounce, SequenceMergeMapRequest,
      TimestampMergeMapAnnounce, TimestampMergeMapRequest, TraceLinkSet, DiscoveryRequest, DiscoveryResponse>();
}

TEST(MessageText, NamesEveryValue) {
  const Bytes bytes = bytes_of(QosProducer{1001, 7, 1795332659996228821, 41, std::nullopt});
  EXPECT_EQ(text_of(bytes),
            "QosProducer stream_id=1001 producer_id=7 epoch=1795332659996228821 current_seq=41 watermark=-");
  EXPECT_EQ(json_of(bytes).dump(),
            R"({"message":"QosProducer","fields":{"stream_id":1001,"producer_id":7,"epoch":"1795332659996228821",)"
            R"("current_seq":41,"watermark":null}})");
}

TEST(MessageText, ListsTheEntriesOfGroups) {
  DataSourceMeta meta{1001, 3, 5, {{"gain", "text/plain", {std::byte{'2'}}}, {"b", "", {}}}};
  EXPECT_EQ(text_of(bytes_of(meta)),
            "DataSourceMeta stream_id=1001 meta_version=3 timestamp_ns=5 attributes=[{key=\"gain\" "
            "format=\"text/plain\" value=\"2\"} {key=\"b\" format=\"\" value=\"\"}]");
  EXPECT_EQ(json_of(bytes_of(meta))["fields"]["attributes"][0]["value"], "2");
}

TEST(MessageText, EscapesWhatATerminalWouldObey) {
  const Bytes bytes = bytes_of(DataSourceAnnounce{1, 2, 3, 4, "\x1b[2Jcam\n", "\xff"});
  EXPECT_NE(text_of(bytes).find(R"(name="\x1b[2Jcam\x0a" summary="\xff")"), std::string::npos) << text_of(bytes);
  EXPECT_EQ(json_of(bytes)["fields"]["name"], R"(\x1b[2Jcam\x0a)");
  EXPECT_FALSE(json_of(bytes).dump().empty());
}

TEST(MessageText, SaysWhatIsWrongWithAMalformedFragment) {
  const Bytes good = bytes_of(QosProducer{});
  EXPECT_EQ(text_of(std::span(good).first(20)),
            "malformed: too short (QosProducer, schema 900, template 6, version 1, 20 bytes)");
  EXPECT_EQ(text_of({}), "malformed: too short (unknown message, schema 0, template 0, version 0, 0 bytes)");
  EXPECT_EQ(json_of(std::span(good).first(20))["malformed"], "too short");
}

TEST(MessageText, FindsTheStreamThatAMessageIsAbout) {
  EXPECT_TRUE(is_about(protocol::describe(bytes_of(FrameDescriptor{.stream_id = 5})), 5));
  EXPECT_FALSE(is_about(protocol::describe(bytes_of(FrameDescriptor{.stream_id = 5})), 6));
  EXPECT_TRUE(is_about(protocol::describe(bytes_of(SequenceMergeMapRequest{5, 1})), 5));
  EXPECT_FALSE(is_about(protocol::describe(bytes_of(ShmDriverShutdown{})), 5));
}

}  // namespace
}  // namespace tensorpool::apps::tp
