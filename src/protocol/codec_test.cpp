// What holds for every message: hostile lengths and counts, unknown values, limits, and the dispatcher.
#include "protocol/codec.hpp"

#include "protocol/dispatch.hpp"
#include "protocol/golden_test.hpp"

namespace tensorpool::protocol {
namespace {

constexpr std::uint32_t two_gib = 0x80000000;

// Offsets of lengths and counts: 8 bytes of message header, the block, then what stands before.
TEST(Codec, AVarDataLengthBeyondTheMessageIsRefused) {
  const Bytes response = encoded(ControlResponse{.error_message = "text"});
  const Bytes hello = encoded(ConsumerHello{.descriptor_channel = "d", .control_channel = "c"});
  const Bytes chunk = encoded(MetaBlobChunk{.bytes = Bytes(4)});
  for (const std::uint32_t length : {5U, two_gib - 1, two_gib, 0xFFFFFFFFU, max_var_data_length}) {
    EXPECT_EQ(fault_of<ControlResponse>(with(response, 20, length)), DecodeFault::bad_length) << length;
    EXPECT_EQ(fault_of<ConsumerHello>(with(hello, 47, length)), DecodeFault::bad_length) << length;
    EXPECT_EQ(fault_of<ConsumerHello>(with(hello, 52, length)), DecodeFault::bad_length) << length;
    EXPECT_EQ(fault_of<MetaBlobChunk>(with(chunk, 24, length)), DecodeFault::bad_length) << length;
  }
}

TEST(Codec, AGroupCountBeyondTheMessageIsRefused) {
  const Bytes announce = encoded(ShmPoolAnnounce{});
  const Bytes attributes = encoded(DataSourceMeta{});
  const Bytes tags = encoded(DiscoveryRequest{});
  const Bytes parents = encoded(TraceLinkSet{});
  for (const int count : {65535, 65534, 10}) {
    const auto wire = static_cast<std::uint16_t>(count);
    EXPECT_EQ(fault_of<ShmPoolAnnounce>(with(announce, 45, wire)), DecodeFault::bad_length);
    EXPECT_EQ(fault_of<DataSourceMeta>(with(attributes, 26, wire)), DecodeFault::bad_length);
    EXPECT_EQ(fault_of<DiscoveryRequest>(with(tags, 42, wire)), DecodeFault::bad_length);
    EXPECT_EQ(fault_of<TraceLinkSet>(with(parents, 38, wire)), DecodeFault::bad_length);
  }
}

TEST(Codec, AnEntryOfAGroupWithAShortBlockIsRefusedAndWithALongOneSkipped) {
  const TraceLinkSet message{.parents = {{5}}};
  const Bytes bytes = encoded(message);
  EXPECT_EQ(fault_of<TraceLinkSet>(with(bytes, 36, std::uint16_t{7})), DecodeFault::short_block);

  Bytes longer = with(bytes, 36, std::uint16_t{10});
  EXPECT_EQ(fault_of<TraceLinkSet>(longer), DecodeFault::bad_length);
  longer.resize(longer.size() + 2);
  const auto decoded = decode_exact<TraceLinkSet>(longer);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded, message);
}

TEST(Codec, AGroupLargerThanItsCountCanSayIsNotEncoded) {
  TraceLinkSet message{.parents = std::vector<TraceParent>(max_group_entries)};
  EXPECT_EQ(decode<TraceLinkSet>(encoded(message))->parents.size(), max_group_entries);

  message.parents.emplace_back();
  Bytes out(encoded_length(message));
  EXPECT_EQ(encode(message, out), 0U);
  DiscoveryRequest request{.tags = std::vector<std::string>(max_group_entries + 1)};
  out.resize(encoded_length(request));
  EXPECT_EQ(encode(request, out), 0U);
}

// The byte at `offset` takes every value; those outside [first, last] fault with `fault`.
template <class Message>
void expect_values(const Message& message, std::size_t offset, int first, int last, DecodeFault fault) {
  const Bytes bytes = encoded(message);
  for (int value = 0; value <= 255; ++value) {
    const DecodeFault expected = value >= first && value <= last ? DecodeFault::none : fault;
    EXPECT_EQ(fault_of<Message>(with(bytes, offset, static_cast<std::uint8_t>(value))), expected)
        << message_name(Message::schema_id, Message::template_id) << " byte " << offset << " value " << value;
  }
}

TEST(Codec, UnknownEnumValuesAreRefused) {
  constexpr auto bad = DecodeFault::bad_enum;
  expect_values(ShmPoolAnnounce{}, 8 + 24, 1, 2, bad);            // announceClockDomain
  expect_values(ConsumerHello{}, 8 + 10, 1, 2, bad);              // mode
  expect_values(ConsumerConfig{}, 8 + 9, 1, 2, bad);              // mode
  expect_values(QosConsumer{}, 8 + 40, 1, 2, bad);                // mode
  expect_values(FrameProgress{}, 8 + 28, 0, 3, bad);              // state
  expect_values(ControlResponse{}, 8 + 8, 0, 4, bad);             // code
  expect_values(ShmAttachResponse{}, 8 + 8, 0, 4, bad);           // code
  expect_values(ShmDetachRequest{}, 8 + 24, 1, 2, bad);           // role
  expect_values(ShmDetachResponse{}, 8 + 8, 0, 4, bad);           // code
  expect_values(ShmLeaseKeepalive{}, 8 + 16, 1, 2, bad);          // role
  expect_values(ShmDriverShutdown{}, 8 + 8, 0, 2, bad);           // reason
  expect_values(ShmLeaseRevoked{}, 8 + 24, 1, 2, bad);            // role
  expect_values(ShmLeaseRevoked{}, 8 + 25, 1, 3, bad);            // reason
  expect_values(ShmDriverShutdownRequest{}, 8 + 8, 0, 2, bad);    // reason
  expect_values(TimestampMergeMapAnnounce{}, 8 + 20, 1, 2, bad);  // clockDomain
  expect_values(DiscoveryResponse{}, 8 + 8, 1, 3, bad);           // status

  const SequenceMergeMapAnnounce sequence{.rules = {{}}};
  expect_values(sequence, 8 + 20 + 4 + 4, 0, 1, bad);  // ruleType
  const TimestampMergeMapAnnounce timestamp{.rules = {{}}};
  expect_values(timestamp, 8 + 29 + 4 + 4, 0, 1, bad);  // ruleType
  expect_values(timestamp, 8 + 29 + 4 + 5, 1, 2, bad);  // timestampSource
}

TEST(Codec, NegativeAndLargeResponseCodesAreRefused) {
  const Bytes bytes = encoded(ControlResponse{});
  for (const std::int32_t code : {-1, 5, 0x7FFFFFFF, std::numeric_limits<std::int32_t>::min(), 0x100}) {
    EXPECT_EQ(fault_of<ControlResponse>(with(bytes, 16, code)), DecodeFault::bad_enum) << code;
  }
}

TEST(Codec, BooleansAreZeroOrOne) {
  constexpr auto bad = DecodeFault::bad_value;
  expect_values(ConsumerHello{}, 8 + 8, 0, 1, bad);      // supportsShm
  expect_values(ConsumerHello{}, 8 + 9, 0, 1, bad);      // supportsProgress
  expect_values(ConsumerConfig{}, 8 + 8, 0, 1, bad);     // useShm
  expect_values(BridgeFrameChunk{}, 8 + 52, 0, 1, bad);  // headerIncluded
}

TEST(Codec, ATraceIdOfZeroIsAbsent) {
  const auto decoded = decode<FrameDescriptor>(encoded(FrameDescriptor{.trace_id = 0}));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->trace_id, std::nullopt);
}

TEST(Codec, PeekReadsTheHeaderOfAnyMessage) {
  const auto header = peek(hex("0100 0200 0300 0400 ff"));
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(*header, (MessageHeader{.block_length = 1, .template_id = 2, .schema_id = 3, .version = 4}));
  const auto none = peek(hex("0100 0200 0300 04"));
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error(), DecodeFault::too_short);
}

TEST(Codec, NamesMessagesAndFaults) {
  EXPECT_EQ(message_name(901, 1), "ShmAttachRequest");
  EXPECT_EQ(message_name(900, 1), "ShmPoolAnnounce");
  EXPECT_EQ(message_name(900, 52), "unknown message");
  EXPECT_EQ(to_string(DecodeFault::newer_version), "newer version");
  EXPECT_EQ(to_string(ResponseCode::invalid_params), "INVALID_PARAMS");
  EXPECT_EQ(to_string(Role{0}), "unknown");
}

struct Handler {
  int announces = 0;
  std::uint64_t seq = 0;
  void on(const ShmPoolAnnounce&) { ++announces; }
  void on(const FrameDescriptor& descriptor) { seq = descriptor.seq; }
};

TEST(Dispatch, CallsTheHandlerOfTheMessage) {
  Handler handler;
  EXPECT_TRUE((dispatch<ShmPoolAnnounce, FrameDescriptor>(encoded(FrameDescriptor{.seq = 9}), handler).handled()));
  EXPECT_EQ(handler.seq, 9U);
  EXPECT_EQ(handler.announces, 0);
}

TEST(Dispatch, IgnoresWhatWasNotAskedFor) {
  Handler handler;
  const auto qos = dispatch<ShmPoolAnnounce, FrameDescriptor>(encoded(QosProducer{}), handler);
  EXPECT_EQ(qos.kind, DispatchOutcome::Kind::ignored);
  EXPECT_EQ(qos.header.template_id, QosProducer::template_id);
  // Template 4 of another schema is another message.
  const auto detach = dispatch<ShmPoolAnnounce, FrameDescriptor>(encoded(ShmDetachResponse{}), handler);
  EXPECT_EQ(detach.kind, DispatchOutcome::Kind::ignored);
}

TEST(Dispatch, TellsWhatIsMalformed) {
  Handler handler;
  const Bytes bytes = encoded(FrameDescriptor{});
  const auto truncated = dispatch<ShmPoolAnnounce, FrameDescriptor>(std::span(bytes).first(47), handler);
  EXPECT_TRUE(truncated.malformed());
  EXPECT_EQ(truncated.fault, DecodeFault::too_short);
  EXPECT_EQ(truncated.header.template_id, FrameDescriptor::template_id);

  const auto newer = dispatch<FrameDescriptor>(with(bytes, 6, std::uint16_t{2}), handler);
  EXPECT_EQ(newer.fault, DecodeFault::newer_version);
  const auto empty = dispatch<FrameDescriptor>({}, handler);
  EXPECT_EQ(empty.fault, DecodeFault::too_short);
  EXPECT_EQ(empty.header, MessageHeader{});
}

}  // namespace
}  // namespace tensorpool::protocol
