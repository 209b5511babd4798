#include "protocol/golden_test.hpp"

namespace tensorpool::protocol {
namespace {

// spec: wire 1.2, messages 900:1 to 900:13
TEST(ControlCodec, ShmPoolAnnounce) {
  const ShmPoolAnnounce message{
      .stream_id = 10000,
      .producer_id = 7,
      .epoch = 0x1122334455667788,
      .announce_timestamp_ns = 0x0102030405060708,
      .announce_clock_domain = ClockDomain::realtime_synced,
      .layout_version = 1,
      .header_nslots = 1024,
      .header_slot_bytes = 256,
      .payload_pools = {{1, 1024, 4096, "shm:file?path=/a"}, {2, 1024, 65536, ""}},
      .header_region_uri = "/r",
  };
  expect_golden(message, hex("2300 0100 8403 0100"  // header: block 35, template 1, schema 900, version 1
                             "10270000"             // streamId
                             "07000000"             // producerId
                             "8877665544332211"     // epoch
                             "0807060504030201"     // announceTimestampNs
                             "02"                   // announceClockDomain
                             "01000000"             // layoutVersion
                             "00040000"             // headerNslots
                             "0001"                 // headerSlotBytes
                             "0a00 0200"            // payloadPools: block 10, two
                             "0100"                 //   poolId
                             "00040000"             //   poolNslots
                             "00100000"             //   strideBytes
                             "10000000"             //   regionUri, 16 bytes
                             "73686d3a66696c653f706174683d2f61"
                             "0200"      //   poolId
                             "00040000"  //   poolNslots
                             "00000100"  //   strideBytes
                             "00000000"  //   regionUri, empty
                             "02000000"  // headerRegionUri, 2 bytes
                             "2f72"));
}

TEST(ControlCodec, ShmPoolAnnounceWithoutPools) {
  expect_golden(ShmPoolAnnounce{.stream_id = 1}, hex("2300 0100 8403 0100"
                                                     "01000000"          // streamId
                                                     "00000000"          // producerId
                                                     "0000000000000000"  // epoch
                                                     "0000000000000000"  // announceTimestampNs
                                                     "01"                // announceClockDomain
                                                     "00000000"          // layoutVersion
                                                     "00000000"          // headerNslots
                                                     "0000"              // headerSlotBytes
                                                     "0a00 0000"         // payloadPools: none
                                                     "00000000"));       // headerRegionUri, empty
}

TEST(ControlCodec, ConsumerHello) {
  const ConsumerHello message{
      .stream_id = 10001,
      .consumer_id = 0x01020304,
      .supports_shm = true,
      .supports_progress = false,
      .mode = Mode::rate_limited,
      .max_rate_hz = 30,
      .expected_layout_version = 1,
      .progress_interval_us = 250,
      .progress_bytes_delta = 65536,
      .progress_major_delta_units = 0,
      .descriptor_stream_id = 31000,
      .control_stream_id = 32000,
      .descriptor_channel = "aeron:ipc",
      .control_channel = "c",
  };
  expect_golden(message, hex("2700 0200 8403 0100"  // block 39, template 2
                             "11270000"             // streamId
                             "04030201"             // consumerId
                             "01"                   // supportsShm
                             "00"                   // supportsProgress
                             "02"                   // mode
                             "1e000000"             // maxRateHz
                             "01000000"             // expectedLayoutVersion
                             "fa000000"             // progressIntervalUs
                             "00000100"             // progressBytesDelta
                             "00000000"             // progressMajorDeltaUnits
                             "18790000"             // descriptorStreamId
                             "007d0000"             // controlStreamId
                             "09000000"             // descriptorChannel, 9 bytes
                             "6165726f6e3a697063"
                             "01000000"  // controlChannel, 1 byte
                             "63"));
}

TEST(ControlCodec, ConsumerHelloWithNulls) {
  const ConsumerHello message{.stream_id = 1, .consumer_id = 2, .supports_progress = true, .mode = Mode::stream};
  expect_golden(message, hex("2700 0200 8403 0100"
                             "01000000"     // streamId
                             "02000000"     // consumerId
                             "00"           // supportsShm
                             "01"           // supportsProgress
                             "01"           // mode
                             "00000000"     // maxRateHz
                             "00000000"     // expectedLayoutVersion
                             "ffffffff"     // progressIntervalUs, null
                             "ffffffff"     // progressBytesDelta, null
                             "ffffffff"     // progressMajorDeltaUnits, null
                             "00000000"     // descriptorStreamId
                             "00000000"     // controlStreamId
                             "00000000"     // descriptorChannel, empty
                             "00000000"));  // controlChannel, empty
}

TEST(ControlCodec, ConsumerConfig) {
  const ConsumerConfig message{
      .stream_id = 5,
      .consumer_id = 6,
      .use_shm = true,
      .mode = Mode::stream,
      .descriptor_stream_id = 31001,
      .control_stream_id = 32001,
      .payload_fallback_uri = "f",
      .descriptor_channel = "dd",
      .control_channel = "",
  };
  expect_golden(message, hex("1200 0300 8403 0100"  // block 18, template 3
                             "05000000"             // streamId
                             "06000000"             // consumerId
                             "01"                   // useShm
                             "01"                   // mode
                             "19790000"             // descriptorStreamId
                             "017d0000"             // controlStreamId
                             "01000000 66"          // payloadFallbackUri
                             "02000000 6464"        // descriptorChannel
                             "00000000"));          // controlChannel
}

TEST(ControlCodec, FrameDescriptor) {
  const FrameDescriptor message{.stream_id = 15000,
                                .epoch = 3,
                                .seq = 0x0102030405060708,
                                .timestamp_ns = 0x1112131415161718,
                                .meta_version = 9,
                                .trace_id = 0xA1A2A3A4A5A6A7A8};
  expect_golden(message, hex("2800 0400 8403 0100"  // block 40, template 4
                             "983a0000"             // streamId
                             "0300000000000000"     // epoch
                             "0807060504030201"     // seq
                             "1817161514131211"     // timestampNs
                             "09000000"             // metaVersion
                             "a8a7a6a5a4a3a2a1"));  // traceId
}

TEST(ControlCodec, FrameDescriptorWithNulls) {
  expect_golden(FrameDescriptor{.stream_id = 1, .epoch = 2, .seq = 3}, hex("2800 0400 8403 0100"
                                                                           "01000000"             // streamId
                                                                           "0200000000000000"     // epoch
                                                                           "0300000000000000"     // seq
                                                                           "ffffffffffffffff"     // timestampNs, null
                                                                           "ffffffff"             // metaVersion, null
                                                                           "0000000000000000"));  // traceId, null is 0
}

TEST(ControlCodec, QosConsumer) {
  const QosConsumer message{.stream_id = 1,
                            .consumer_id = 2,
                            .epoch = 3,
                            .last_seq_seen = 4,
                            .drops_gap = 5,
                            .drops_late = 6,
                            .mode = Mode::rate_limited};
  expect_golden(message, hex("2900 0500 8403 0100"  // block 41, template 5
                             "01000000"             // streamId
                             "02000000"             // consumerId
                             "0300000000000000"     // epoch
                             "0400000000000000"     // lastSeqSeen
                             "0500000000000000"     // dropsGap
                             "0600000000000000"     // dropsLate
                             "02"));                // mode
}

TEST(ControlCodec, QosProducer) {
  const QosProducer message{.stream_id = 1, .producer_id = 2, .epoch = 3, .current_seq = 4, .watermark = 5};
  expect_golden(message, hex("1c00 0600 8403 0100"  // block 28, template 6
                             "01000000"             // streamId
                             "02000000"             // producerId
                             "0300000000000000"     // epoch
                             "0400000000000000"     // currentSeq
                             "05000000"));          // watermark
}

TEST(ControlCodec, QosProducerWithNulls) {
  expect_golden(QosProducer{.stream_id = 1, .producer_id = 2, .epoch = 3, .current_seq = 4},
                hex("1c00 0600 8403 0100"
                    "01000000 02000000 0300000000000000 0400000000000000"
                    "ffffffff"));  // watermark, null
}

TEST(ControlCodec, DataSourceAnnounce) {
  const DataSourceAnnounce message{
      .stream_id = 1, .producer_id = 2, .epoch = 3, .meta_version = 4, .name = "cam", .summary = ""};
  expect_golden(message, hex("1400 0700 8403 0100"  // block 20, template 7
                             "01000000"             // streamId
                             "02000000"             // producerId
                             "0300000000000000"     // epoch
                             "04000000"             // metaVersion
                             "03000000 63616d"      // name
                             "00000000"));          // summary
}

TEST(ControlCodec, DataSourceMeta) {
  const DataSourceMeta message{.stream_id = 1,
                               .meta_version = 2,
                               .timestamp_ns = 3,
                               .attributes = {{"k", "text/plain", hex("00ff80")}, {"", "", {}}}};
  expect_golden(message, hex("1000 0800 8403 0100"  // block 16, template 8
                             "01000000"             // streamId
                             "02000000"             // metaVersion
                             "0300000000000000"     // timestampNs
                             "0000 0200"            // attributes: block 0, two
                             "01000000 6b"          //   key
                             "0a000000"             //   format, 10 bytes
                             "746578742f706c61696e"
                             "03000000 00ff80"                //   value
                             "00000000 00000000 00000000"));  //   key, format and value, all empty
}

TEST(ControlCodec, DataSourceMetaWithoutAttributes) {
  expect_golden(DataSourceMeta{.stream_id = 1, .meta_version = 2, .timestamp_ns = 3},
                hex("1000 0800 8403 0100"
                    "01000000 02000000 0300000000000000"
                    "0000 0000"));  // attributes: none
}

TEST(ControlCodec, ControlResponse) {
  const ControlResponse message{.correlation_id = -2, .code = ResponseCode::internal_error, .error_message = "no"};
  expect_golden(message, hex("0c00 0900 8403 0100"  // block 12, template 9
                             "feffffffffffffff"     // correlationId
                             "04000000"             // code
                             "02000000 6e6f"));     // errorMessage
}

TEST(ControlCodec, MetaBlobAnnounce) {
  const MetaBlobAnnounce message{
      .stream_id = 1, .meta_version = 2, .blob_type = 3, .total_len = 0x100000000, .checksum = 0x0102030405060708};
  expect_golden(message, hex("1c00 0a00 8403 0100"  // block 28, template 10
                             "01000000"             // streamId
                             "02000000"             // metaVersion
                             "03000000"             // blobType
                             "0000000001000000"     // totalLen
                             "0807060504030201"));  // checksum
}

TEST(ControlCodec, FrameProgress) {
  const FrameProgress message{.stream_id = 1,
                              .epoch = 2,
                              .seq = 3,
                              .payload_bytes_filled = 0x0102030405060708,
                              .state = FrameProgressState::complete};
  expect_golden(message, hex("1d00 0b00 8403 0100"  // block 29, template 11
                             "01000000"             // streamId
                             "0200000000000000"     // epoch
                             "0300000000000000"     // seq
                             "0807060504030201"     // payloadBytesFilled
                             "03"));                // state
}

TEST(ControlCodec, MetaBlobChunk) {
  const MetaBlobChunk message{.stream_id = 1, .meta_version = 2, .chunk_offset = 65536, .bytes = hex("deadbeef")};
  expect_golden(message, hex("1000 0c00 8403 0100"   // block 16, template 12
                             "01000000"              // streamId
                             "02000000"              // metaVersion
                             "0000010000000000"      // chunkOffset
                             "04000000 deadbeef"));  // bytes
}

TEST(ControlCodec, MetaBlobComplete) {
  const MetaBlobComplete message{.stream_id = 1, .meta_version = 2, .checksum = 0x8182838485868788};
  expect_golden(message, hex("1000 0d00 8403 0100"  // block 16, template 13
                             "01000000"             // streamId
                             "02000000"             // metaVersion
                             "8887868584838281"));  // checksum
}

}  // namespace
}  // namespace tensorpool::protocol
