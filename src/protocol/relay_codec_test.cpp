// Schemas 902, 903, 904 and 910.
#include "protocol/golden_test.hpp"

namespace tensorpool::protocol {
namespace {

// spec: bridge 1.1
TEST(BridgeCodec, BridgeFrameChunk) {
  const BridgeFrameChunk message{
      .stream_id = 1,
      .epoch = 2,
      .seq = 3,
      .trace_id = 4,
      .chunk_index = 5,
      .chunk_count = 6,
      .chunk_offset = 7,
      .chunk_length = 2,
      .payload_length = 9,
      .payload_crc32c = 0xE3069283,
      .header_included = true,
      .header_bytes = hex("aabbcc"),
      .payload_bytes = hex("0102"),
  };
  expect_golden(message, hex("3500 0100 8603 0100"  // block 53, template 1, schema 902
                             "01000000"             // streamId
                             "0200000000000000"     // epoch
                             "0300000000000000"     // seq
                             "0400000000000000"     // traceId
                             "05000000"             // chunkIndex
                             "06000000"             // chunkCount
                             "07000000"             // chunkOffset
                             "02000000"             // chunkLength
                             "09000000"             // payloadLength
                             "839206e3"             // payloadCrc32c
                             "01"                   // headerIncluded
                             "03000000 aabbcc"      // headerBytes
                             "02000000 0102"));     // payloadBytes
}

TEST(BridgeCodec, BridgeFrameChunkWithNulls) {
  expect_golden(BridgeFrameChunk{.stream_id = 1}, hex("3500 0100 8603 0100"
                                                      "01000000"          // streamId
                                                      "0000000000000000"  // epoch
                                                      "0000000000000000"  // seq
                                                      "0000000000000000"  // traceId, null is 0
                                                      "00000000 00000000 00000000 00000000 00000000 00000000"
                                                      "00"           // headerIncluded
                                                      "00000000"     // headerBytes, empty
                                                      "00000000"));  // payloadBytes, empty
}

TEST(BridgeCodec, HeaderBytesBeyondASlotAreRefusedBothWays) {
  BridgeFrameChunk message{.header_bytes = Bytes(256)};
  const Bytes full = encoded(message);
  EXPECT_EQ(fault_of<BridgeFrameChunk>(full), DecodeFault::none);

  Bytes beyond = with(full, 61, std::uint32_t{257});
  beyond.push_back(std::byte{0});
  EXPECT_EQ(fault_of<BridgeFrameChunk>(beyond), DecodeFault::bad_length);
  message.header_bytes.resize(257);
  Bytes out(1024);
  EXPECT_EQ(encode(message, out), 0U);
}

// spec: join barrier 1.0
TEST(MergeCodec, SequenceMergeMapAnnounce) {
  const SequenceMergeMapAnnounce message{
      .out_stream_id = 1,
      .epoch = 2,
      .stale_timeout_ns = 3,
      .rules = {{.input_stream_id = 4, .rule_type = MergeRuleType::offset, .offset = -5},
                {.input_stream_id = 6, .rule_type = MergeRuleType::window, .window_size = 7}},
  };
  expect_golden(message, hex("1400 0100 8703 0100"  // block 20, template 1, schema 903
                             "01000000"             // outStreamId
                             "0200000000000000"     // epoch
                             "0300000000000000"     // staleTimeoutNs
                             "0d00 0200"            // rules: block 13, two
                             "04000000"             //   inputStreamId
                             "00"                   //   ruleType
                             "fbffffff"             //   offset
                             "ffffffff"             //   windowSize, null
                             "06000000"             //   inputStreamId
                             "01"                   //   ruleType
                             "00000080"             //   offset, null
                             "07000000"));          //   windowSize
}

TEST(MergeCodec, SequenceMergeMapAnnounceWithNulls) {
  expect_golden(SequenceMergeMapAnnounce{.out_stream_id = 1, .epoch = 2},
                hex("1400 0100 8703 0100"
                    "01000000 0200000000000000"
                    "ffffffffffffffff"  // staleTimeoutNs, null
                    "0d00 0000"));      // rules: none
}

TEST(MergeCodec, SequenceMergeMapRequest) {
  expect_golden(SequenceMergeMapRequest{.out_stream_id = 1, .epoch = 2}, hex("0c00 0200 8703 0100"  // block 12
                                                                             "01000000"             // outStreamId
                                                                             "0200000000000000"));  // epoch
}

TEST(MergeCodec, TimestampMergeMapAnnounce) {
  const TimestampMergeMapAnnounce message{
      .out_stream_id = 1,
      .epoch = 2,
      .stale_timeout_ns = 3,
      .clock_domain = ClockDomain::realtime_synced,
      .lateness_ns = 4,
      .rules = {{.input_stream_id = 5,
                 .rule_type = MergeTimeRuleType::offset_ns,
                 .timestamp_source = TimestampSource::slot_header,
                 .offset_ns = -2},
                {.input_stream_id = 6,
                 .rule_type = MergeTimeRuleType::window_ns,
                 .timestamp_source = TimestampSource::frame_descriptor,
                 .window_ns = 7}},
  };
  expect_golden(message, hex("1d00 0300 8703 0100"  // block 29, template 3
                             "01000000"             // outStreamId
                             "0200000000000000"     // epoch
                             "0300000000000000"     // staleTimeoutNs
                             "02"                   // clockDomain
                             "0400000000000000"     // latenessNs
                             "1600 0200"            // rules: block 22, two
                             "05000000"             //   inputStreamId
                             "00"                   //   ruleType
                             "02"                   //   timestampSource
                             "feffffffffffffff"     //   offsetNs
                             "ffffffffffffffff"     //   windowNs, null
                             "06000000"             //   inputStreamId
                             "01"                   //   ruleType
                             "01"                   //   timestampSource
                             "0000000000000080"     //   offsetNs, null
                             "0700000000000000"));  //   windowNs
}

TEST(MergeCodec, TimestampMergeMapAnnounceWithNulls) {
  expect_golden(TimestampMergeMapAnnounce{.out_stream_id = 1, .epoch = 2},
                hex("1d00 0300 8703 0100"
                    "01000000 0200000000000000"
                    "ffffffffffffffff"  // staleTimeoutNs, null
                    "01"                // clockDomain
                    "ffffffffffffffff"  // latenessNs, null
                    "1600 0000"));      // rules: none
}

TEST(MergeCodec, TimestampMergeMapRequest) {
  expect_golden(TimestampMergeMapRequest{.out_stream_id = 1, .epoch = 2}, hex("0c00 0400 8703 0100"  // block 12
                                                                              "01000000"             // outStreamId
                                                                              "0200000000000000"));  // epoch
}

// spec: trace link 1.0
TEST(TraceCodec, TraceLinkSet) {
  const TraceLinkSet message{.stream_id = 1, .epoch = 2, .seq = 3, .trace_id = 4, .parents = {{5}, {6}}};
  expect_golden(message, hex("1c00 0100 8803 0100"  // block 28, template 1, schema 904
                             "01000000"             // streamId
                             "0200000000000000"     // epoch
                             "0300000000000000"     // seq
                             "0400000000000000"     // traceId
                             "0800 0200"            // parents: block 8, two
                             "0500000000000000"     //   traceId
                             "0600000000000000"));  //   traceId
}

// spec: discovery 1.0
TEST(DiscoveryCodec, DiscoveryRequest) {
  const DiscoveryRequest message{
      .request_id = 1,
      .client_id = 2,
      .response_stream_id = 7004,
      .stream_id = 4,
      .producer_id = 5,
      .data_source_id = 6,
      .tags = {"ir", ""},
      .response_channel = "c",
      .data_source_name = "n",
  };
  expect_golden(message, hex("2000 0100 8e03 0100"  // block 32, template 1, schema 910
                             "0100000000000000"     // requestId
                             "02000000"             // clientId
                             "5c1b0000"             // responseStreamId
                             "04000000"             // streamId
                             "05000000"             // producerId
                             "0600000000000000"     // dataSourceId
                             "0000 0200"            // tags: block 0, two
                             "02000000 6972"        //   tag
                             "00000000"             //   tag, empty
                             "01000000 63"          // responseChannel
                             "01000000 6e"));       // dataSourceName
}

TEST(DiscoveryCodec, DiscoveryRequestWithNulls) {
  expect_golden(DiscoveryRequest{.request_id = 1, .client_id = 2, .response_stream_id = 3},
                hex("2000 0100 8e03 0100"
                    "0100000000000000 02000000 03000000"
                    "ffffffff"          // streamId, null
                    "ffffffff"          // producerId, null
                    "ffffffffffffffff"  // dataSourceId, null
                    "0000 0000"         // tags: none
                    "00000000"          // responseChannel, empty
                    "00000000"));       // dataSourceName, empty
}

TEST(DiscoveryCodec, ABlockLengthOfTagsMeansNothing) {
  const DiscoveryRequest message{.tags = {"ir"}};
  const Bytes bytes = encoded(message);
  const auto decoded = decode_exact<DiscoveryRequest>(with(bytes, 40, std::uint16_t{0xFFFF}));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded, message);
}

TEST(DiscoveryCodec, DiscoveryResponse) {
  const DiscoveryResponse message{
      .request_id = 1,
      .status = DiscoveryStatus::not_found,
      .results = {{.stream_id = 2,
                   .producer_id = 3,
                   .epoch = 4,
                   .layout_version = 1,
                   .header_nslots = 8,
                   .header_slot_bytes = 256,
                   .max_dims = 8,
                   .data_source_id = 9,
                   .driver_control_stream_id = 1000,
                   .payload_pools = {{1, 8, 64, "p"}},
                   .tags = {"t"},
                   .header_region_uri = "h",
                   .data_source_name = "n",
                   .driver_instance_id = "i",
                   .driver_control_channel = "c"},
                  {.stream_id = 10}},
      .error_message = "e",
  };
  expect_golden(message, hex("0900 0200 8e03 0100"  // block 9, template 2
                             "0100000000000000"     // requestId
                             "02"                   // status
                             "2700 0200"            // results: block 39, two
                             "02000000"             //   streamId
                             "03000000"             //   producerId
                             "0400000000000000"     //   epoch
                             "01000000"             //   layoutVersion
                             "08000000"             //   headerNslots
                             "0001"                 //   headerSlotBytes
                             "08"                   //   maxDims
                             "0900000000000000"     //   dataSourceId
                             "e8030000"             //   driverControlStreamId
                             "0a00 0100"            //   payloadPools: block 10, one
                             "0100"                 //     poolId
                             "08000000"             //     poolNslots
                             "40000000"             //     strideBytes
                             "01000000 70"          //     regionUri
                             "0000 0100"            //   tags: block 0, one
                             "01000000 74"          //     tag
                             "01000000 68"          //   headerRegionUri
                             "01000000 6e"          //   dataSourceName
                             "01000000 69"          //   driverInstanceId
                             "01000000 63"          //   driverControlChannel
                             "0a000000"             //   streamId of the second
                             "00000000 0000000000000000 00000000 00000000 0000 00"
                             "ffffffffffffffff"                     //   dataSourceId, null
                             "00000000"                             //   driverControlStreamId
                             "0a00 0000"                            //   payloadPools: none
                             "0000 0000"                            //   tags: none
                             "00000000 00000000 00000000 00000000"  //   four texts, empty
                             "01000000 65"));                       // errorMessage
}

}  // namespace
}  // namespace tensorpool::protocol
