#include "protocol/golden_test.hpp"

namespace tensorpool::protocol {
namespace {

// spec: driver model 1.0, messages 901:1 to 901:8
TEST(DriverCodec, ShmAttachRequest) {
  const ShmAttachRequest message{
      .correlation_id = 0x0102030405060708,
      .stream_id = 10000,
      .client_id = 42,
      .role = Role::producer,
      .expected_layout_version = 1,
      .publish_mode = PublishMode::existing_or_create,
      .require_hugepages = HugepagesPolicy::standard,
      .desired_node_id = 17,
  };
  expect_golden(message, hex("1b00 0100 8503 0100"  // header: block 27, template 1, schema 901, version 1
                             "0807060504030201"     // correlationId
                             "10270000"             // streamId
                             "2a000000"             // clientId
                             "01"                   // role
                             "01000000"             // expectedLayoutVersion
                             "02"                   // publishMode
                             "01"                   // requireHugepages
                             "11000000"));          // desiredNodeId
}

TEST(DriverCodec, ShmAttachRequestWithNulls) {
  const ShmAttachRequest message{.correlation_id = -1, .stream_id = 10000, .client_id = 42, .role = Role::consumer};
  expect_golden(message, hex("1b00 0100 8503 0100"
                             "ffffffffffffffff"  // correlationId
                             "10270000"          // streamId
                             "2a000000"          // clientId
                             "02"                // role
                             "00000000"          // expectedLayoutVersion
                             "ff"                // publishMode, null
                             "00"                // requireHugepages
                             "ffffffff"));       // desiredNodeId, null
}

TEST(DriverCodec, ShmAttachResponse) {
  const ShmAttachResponse message{
      .correlation_id = 5,
      .code = ResponseCode::ok,
      .lease_id = 0x7122334455667788,
      .lease_expiry_timestamp_ns = 0x0102030405060708,
      .stream_id = 10000,
      .epoch = 9,
      .layout_version = 1,
      .header_nslots = 8,
      .header_slot_bytes = 256,
      .node_id = 3,
      .payload_pools = {{.pool_id = 1, .pool_nslots = 8, .stride_bytes = 655360, .region_uri = "u"}},
      .header_region_uri = "h",
      .error_message = "",
  };
  expect_golden(message, hex("3600 0200 8503 0100"  // block 54, template 2
                             "0500000000000000"     // correlationId
                             "00000000"             // code
                             "8877665544332271"     // leaseId
                             "0807060504030201"     // leaseExpiryTimestampNs
                             "10270000"             // streamId
                             "0900000000000000"     // epoch
                             "01000000"             // layoutVersion
                             "08000000"             // headerNslots
                             "0001"                 // headerSlotBytes
                             "03000000"             // nodeId
                             "0a00 0100"            // payloadPools: block 10, one
                             "0100"                 //   poolId
                             "08000000"             //   poolNslots
                             "00000a00"             //   strideBytes
                             "01000000 75"          //   regionUri
                             "01000000 68"          // headerRegionUri
                             "00000000"));          // errorMessage, empty
}

TEST(DriverCodec, ShmAttachResponseThatRefuses) {
  const ShmAttachResponse message{
      .correlation_id = 5, .code = ResponseCode::rejected, .error_message = "client_id already attached"};
  expect_golden(message, hex("3600 0200 8503 0100"
                             "0500000000000000"  // correlationId
                             "03000000"          // code
                             "ffffffffffffffff"  // leaseId, null
                             "ffffffffffffffff"  // leaseExpiryTimestampNs, null
                             "ffffffff"          // streamId, null
                             "ffffffffffffffff"  // epoch, null
                             "ffffffff"          // layoutVersion, null
                             "ffffffff"          // headerNslots, null
                             "ffff"              // headerSlotBytes, null
                             "ffffffff"          // nodeId, null
                             "0a00 0000"         // payloadPools: none
                             "00000000"          // headerRegionUri, empty
                             "1a000000"          // errorMessage, 26 bytes
                             "636c69656e745f696420616c7265616479206174746163686564"));
}

TEST(DriverCodec, ShmDetachRequest) {
  const ShmDetachRequest message{
      .correlation_id = 1, .lease_id = 2, .stream_id = 3, .client_id = 4, .role = Role::producer};
  expect_golden(message, hex("1900 0300 8503 0100"  // block 25, template 3
                             "0100000000000000"     // correlationId
                             "0200000000000000"     // leaseId
                             "03000000"             // streamId
                             "04000000"             // clientId
                             "01"));                // role
}

TEST(DriverCodec, ShmDetachResponse) {
  const ShmDetachResponse message{
      .correlation_id = 1, .code = ResponseCode::invalid_params, .error_message = "unknown lease"};
  expect_golden(message, hex("0c00 0400 8503 0100"  // block 12, template 4
                             "0100000000000000"     // correlationId
                             "02000000"             // code
                             "0d000000"             // errorMessage, 13 bytes
                             "756e6b6e6f776e206c65617365"));
}

TEST(DriverCodec, ShmLeaseKeepalive) {
  const ShmLeaseKeepalive message{.lease_id = 0x0102030405060708,
                                  .stream_id = 1,
                                  .client_id = 2,
                                  .role = Role::consumer,
                                  .client_timestamp_ns = 0x1112131415161718};
  expect_golden(message, hex("1900 0500 8503 0100"  // block 25, template 5
                             "0807060504030201"     // leaseId
                             "01000000"             // streamId
                             "02000000"             // clientId
                             "02"                   // role
                             "1817161514131211"));  // clientTimestampNs
}

TEST(DriverCodec, ShmDriverShutdown) {
  const ShmDriverShutdown message{.timestamp_ns = 1, .reason = ShutdownReason::admin, .error_message = "bye"};
  expect_golden(message, hex("0900 0600 8503 0100"  // block 9, template 6
                             "0100000000000000"     // timestampNs
                             "01"                   // reason
                             "03000000 627965"));   // errorMessage
}

TEST(DriverCodec, ShmLeaseRevoked) {
  const ShmLeaseRevoked message{.timestamp_ns = 1,
                                .lease_id = 2,
                                .stream_id = 3,
                                .client_id = 4,
                                .role = Role::producer,
                                .reason = LeaseRevokeReason::expired,
                                .error_message = "late"};
  expect_golden(message, hex("1a00 0700 8503 0100"   // block 26, template 7
                             "0100000000000000"      // timestampNs
                             "0200000000000000"      // leaseId
                             "03000000"              // streamId
                             "04000000"              // clientId
                             "01"                    // role
                             "02"                    // reason
                             "04000000 6c617465"));  // errorMessage
}

TEST(DriverCodec, ShmDriverShutdownRequest) {
  const ShmDriverShutdownRequest message{
      .correlation_id = 1, .reason = ShutdownReason::error, .token = "s3", .error_message = ""};
  expect_golden(message, hex("0900 0800 8503 0100"  // block 9, template 8
                             "0100000000000000"     // correlationId
                             "02"                   // reason
                             "02000000 7333"        // token
                             "00000000"));          // errorMessage
}

// The driver answers INVALID_PARAMS to these, so they must reach it.
TEST(DriverCodec, AnAttachRequestKeepsUnknownEnumValuesForTheDriver) {
  const Bytes golden = encoded(ShmAttachRequest{.publish_mode = PublishMode::require_existing});
  const auto request = decode<ShmAttachRequest>(
      with(with(with(golden, 24, std::uint8_t{9}), 29, std::uint8_t{0}), 30, std::uint8_t{77}));
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->role, Role{9});
  EXPECT_FALSE(is_valid(request->role));
  ASSERT_TRUE(request->publish_mode.has_value());
  EXPECT_FALSE(is_valid(*request->publish_mode));
  EXPECT_FALSE(is_valid(request->require_hugepages));
  EXPECT_EQ(encoded(*request)[30], std::byte{77});
}

TEST(DriverCodec, TheCorrelationIdOfANewerRequestIsReadable) {
  const Bytes attach = with(encoded(ShmAttachRequest{.correlation_id = -7}), 6, std::uint16_t{2});
  EXPECT_EQ(fault_of<ShmAttachRequest>(attach), DecodeFault::newer_version);
  EXPECT_EQ(peek_correlation_id(attach), -7);
  EXPECT_EQ(peek_correlation_id(encoded(ShmDetachRequest{.correlation_id = 8})), 8);
  EXPECT_EQ(peek_correlation_id(encoded(ShmDriverShutdownRequest{.correlation_id = 9})), 9);

  EXPECT_EQ(peek_correlation_id(std::span(attach).first(15)), std::nullopt);
  EXPECT_EQ(peek_correlation_id(with(attach, 0, std::uint16_t{7})), std::nullopt);
  EXPECT_EQ(peek_correlation_id(encoded(ShmAttachResponse{})), std::nullopt);
  EXPECT_EQ(peek_correlation_id(encoded(ShmPoolAnnounce{})), std::nullopt);
  EXPECT_EQ(peek_correlation_id({}), std::nullopt);
}

}  // namespace
}  // namespace tensorpool::protocol
