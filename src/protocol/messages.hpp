// One plain struct for each message of the wire, fields in the order of the schema (src/protocol/schema/*.xml).
// std::optional = a field that has a null on the wire; std::string and Bytes = var-data, empty = absent; a vector of
// structs = a repeating group. Timestamps are nanoseconds, unsigned as on the wire. Nothing here knows bytes: codec.hpp
// does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/constants.hpp"
#include "protocol/enums.hpp"

namespace tensorpool::protocol {

using Bytes = std::vector<std::byte>;

// --- Control plane and data plane (schema 900) ---

// One pool of a stream's memory, as announces, attach responses and discovery results list them.
struct PayloadPool {
  static constexpr std::uint16_t block_length = 10;

  std::uint16_t pool_id = 0;
  std::uint32_t pool_nslots = 0;
  std::uint32_t stride_bytes = 0;
  std::string region_uri{};

  bool operator==(const PayloadPool&) const = default;
};

// Where the memory of a stream's current epoch lies. producer_id 0: nobody produces.
struct ShmPoolAnnounce {
  static constexpr std::uint16_t schema_id = control_schema_id;
  static constexpr std::uint16_t template_id = 1;
  static constexpr std::uint16_t block_length = 35;

  std::uint32_t stream_id = 0;
  std::uint32_t producer_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t announce_timestamp_ns = 0;
  ClockDomain announce_clock_domain = ClockDomain::monotonic;
  std::uint32_t layout_version = 0;
  std::uint32_t header_nslots = 0;
  std::uint16_t header_slot_bytes = 0;
  std::vector<PayloadPool> payload_pools{};
  std::string header_region_uri{};

  bool operator==(const ShmPoolAnnounce&) const = default;
};

// A consumer presents itself and may ask for its own descriptor and control streams.
struct ConsumerHello {
  static constexpr std::uint16_t schema_id = control_schema_id;
  static constexpr std::uint16_t template_id = 2;
  static constexpr std::uint16_t block_length = 39;

  std::uint32_t stream_id = 0;
  std::uint32_t consumer_id = 0;
  bool supports_shm = false;
  bool supports_progress = false;
  Mode mode = Mode::stream;
  std::uint32_t max_rate_hz = 0;
  std::uint32_t expected_layout_version = 0;
  std::optional<std::uint32_t> progress_interval_us{};
  std::optional<std::uint32_t> progress_bytes_delta{};
  std::optional<std::uint32_t> progress_major_delta_units{};
  std::uint32_t descriptor_stream_id = 0;
  std::uint32_t control_stream_id = 0;
  std::string descriptor_channel{};
  std::string control_channel{};

  bool operator==(const ConsumerHello&) const = default;
};

// The answer to a ConsumerHello.
struct ConsumerConfig {
  static constexpr std::uint16_t schema_id = control_schema_id;
  static constexpr std::uint16_t template_id = 3;
  static constexpr std::uint16_t block_length = 18;

  std::uint32_t stream_id = 0;
  std::uint32_t consumer_id = 0;
  bool use_shm = false;
  Mode mode = Mode::stream;
  std::uint32_t descriptor_stream_id = 0;
  std::uint32_t control_stream_id = 0;
  std::string payload_fallback_uri{};
  std::string descriptor_channel{};
  std::string control_channel{};

  bool operator==(const ConsumerConfig&) const = default;
};

// A frame was committed. Sent once per frame: encode and decode of this one are hot.
struct FrameDescriptor {
  static constexpr std::uint16_t schema_id = control_schema_id;
  static constexpr std::uint16_t template_id = 4;
  static constexpr std::uint16_t block_length = 40;

  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  std::optional<std::uint64_t> timestamp_ns{};
  std::optional<std::uint32_t> meta_version{};
  std::optional<std::uint64_t> trace_id{};  // null is 0

  bool operator==(const FrameDescriptor&) const = default;
};

struct QosConsumer {
  static constexpr std::uint16_t schema_id = control_schema_id;
  static constexpr std::uint16_t template_id = 5;
  static constexpr std::uint16_t block_length = 41;

  std::uint32_t stream_id = 0;
  std::uint32_t consumer_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t last_seq_seen = 0;
  std::uint64_t drops_gap = 0;
  std::uint64_t drops_late = 0;
  Mode mode = Mode::stream;

  bool operator==(const QosConsumer&) const = default;
};

struct QosProducer {
  static constexpr std::uint16_t schema_id = control_schema_id;
  static constexpr std::uint16_t template_id = 6;
  static constexpr std::uint16_t block_length = 28;

  std::uint32_t stream_id = 0;
  std::uint32_t producer_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t current_seq = 0;
  std::optional<std::uint32_t> watermark{};

  bool operator==(const QosProducer&) const = default;
};

struct DataSourceAnnounce {
  static constexpr std::uint16_t schema_id = control_schema_id;
  static constexpr std::uint16_t template_id = 7;
  static constexpr std::uint16_t block_length = 20;

  std::uint32_t stream_id = 0;
  std::uint32_t producer_id = 0;
  std::uint64_t epoch = 0;
  std::uint32_t meta_version = 0;
  std::string name{};
  std::string summary{};

  bool operator==(const DataSourceAnnounce&) const = default;
};

struct DataSourceAttribute {
  static constexpr std::uint16_t block_length = 0;

  std::string key{};
  std::string format{};
  Bytes value{};

  bool operator==(const DataSourceAttribute&) const = default;
};

struct DataSourceMeta {
  static constexpr std::uint16_t schema_id = control_schema_id;
  static constexpr std::uint16_t template_id = 8;
  static constexpr std::uint16_t block_length = 16;

  std::uint32_t stream_id = 0;
  std::uint32_t meta_version = 0;
  std::uint64_t timestamp_ns = 0;
  std::vector<DataSourceAttribute> attributes{};

  bool operator==(const DataSourceMeta&) const = default;
};

struct ControlResponse {
  static constexpr std::uint16_t schema_id = control_schema_id;
  static constexpr std::uint16_t template_id = 9;
  static constexpr std::uint16_t block_length = 12;

  std::int64_t correlation_id = 0;
  ResponseCode code = ResponseCode::ok;
  std::string error_message{};

  bool operator==(const ControlResponse&) const = default;
};

// A blob of metadata follows in MetaBlobChunks. The three MetaBlob messages exist only in tensor_pool_c.
struct MetaBlobAnnounce {
  static constexpr std::uint16_t schema_id = control_schema_id;
  static constexpr std::uint16_t template_id = 10;
  static constexpr std::uint16_t block_length = 28;

  std::uint32_t stream_id = 0;
  std::uint32_t meta_version = 0;
  std::uint32_t blob_type = 0;
  std::uint64_t total_len = 0;
  std::uint64_t checksum = 0;

  bool operator==(const MetaBlobAnnounce&) const = default;
};

// How much of a frame that is not yet committed is there.
struct FrameProgress {
  static constexpr std::uint16_t schema_id = control_schema_id;
  static constexpr std::uint16_t template_id = 11;
  static constexpr std::uint16_t block_length = 29;

  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  std::uint64_t payload_bytes_filled = 0;
  FrameProgressState state = FrameProgressState::unknown;

  bool operator==(const FrameProgress&) const = default;
};

struct MetaBlobChunk {
  static constexpr std::uint16_t schema_id = control_schema_id;
  static constexpr std::uint16_t template_id = 12;
  static constexpr std::uint16_t block_length = 16;

  std::uint32_t stream_id = 0;
  std::uint32_t meta_version = 0;
  std::uint64_t chunk_offset = 0;
  Bytes bytes{};

  bool operator==(const MetaBlobChunk&) const = default;
};

struct MetaBlobComplete {
  static constexpr std::uint16_t schema_id = control_schema_id;
  static constexpr std::uint16_t template_id = 13;
  static constexpr std::uint16_t block_length = 16;

  std::uint32_t stream_id = 0;
  std::uint32_t meta_version = 0;
  std::uint64_t checksum = 0;

  bool operator==(const MetaBlobComplete&) const = default;
};

// --- Driver and its clients (schema 901) ---

// The driver answers unknown values of role, publish_mode and require_hugepages with INVALID_PARAMS, so decoding keeps
// them as they came: judge them by is_valid. publish_mode absent means require_existing.
struct ShmAttachRequest {
  static constexpr std::uint16_t schema_id = driver_schema_id;
  static constexpr std::uint16_t template_id = 1;
  static constexpr std::uint16_t block_length = 27;

  std::int64_t correlation_id = 0;
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  Role role = Role::consumer;
  std::uint32_t expected_layout_version = 0;  // 0 = any
  std::optional<PublishMode> publish_mode{};
  HugepagesPolicy require_hugepages = HugepagesPolicy::unspecified;
  std::optional<std::uint32_t> desired_node_id{};

  bool operator==(const ShmAttachRequest&) const = default;
};

// All but correlation_id, code and error_message are present only when code is ok.
struct ShmAttachResponse {
  static constexpr std::uint16_t schema_id = driver_schema_id;
  static constexpr std::uint16_t template_id = 2;
  static constexpr std::uint16_t block_length = 54;

  std::int64_t correlation_id = 0;
  ResponseCode code = ResponseCode::ok;
  std::optional<std::uint64_t> lease_id{};
  std::optional<std::uint64_t> lease_expiry_timestamp_ns{};
  std::optional<std::uint32_t> stream_id{};
  std::optional<std::uint64_t> epoch{};
  std::optional<std::uint32_t> layout_version{};
  std::optional<std::uint32_t> header_nslots{};
  std::optional<std::uint16_t> header_slot_bytes{};
  std::optional<std::uint32_t> node_id{};
  std::vector<PayloadPool> payload_pools{};
  std::string header_region_uri{};
  std::string error_message{};

  bool operator==(const ShmAttachResponse&) const = default;
};

struct ShmDetachRequest {
  static constexpr std::uint16_t schema_id = driver_schema_id;
  static constexpr std::uint16_t template_id = 3;
  static constexpr std::uint16_t block_length = 25;

  std::int64_t correlation_id = 0;
  std::uint64_t lease_id = 0;
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  Role role = Role::consumer;

  bool operator==(const ShmDetachRequest&) const = default;
};

struct ShmDetachResponse {
  static constexpr std::uint16_t schema_id = driver_schema_id;
  static constexpr std::uint16_t template_id = 4;
  static constexpr std::uint16_t block_length = 12;

  std::int64_t correlation_id = 0;
  ResponseCode code = ResponseCode::ok;
  std::string error_message{};

  bool operator==(const ShmDetachResponse&) const = default;
};

struct ShmLeaseKeepalive {
  static constexpr std::uint16_t schema_id = driver_schema_id;
  static constexpr std::uint16_t template_id = 5;
  static constexpr std::uint16_t block_length = 25;

  std::uint64_t lease_id = 0;
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  Role role = Role::consumer;
  std::uint64_t client_timestamp_ns = 0;

  bool operator==(const ShmLeaseKeepalive&) const = default;
};

struct ShmDriverShutdown {
  static constexpr std::uint16_t schema_id = driver_schema_id;
  static constexpr std::uint16_t template_id = 6;
  static constexpr std::uint16_t block_length = 9;

  std::uint64_t timestamp_ns = 0;
  ShutdownReason reason = ShutdownReason::normal;
  std::string error_message{};

  bool operator==(const ShmDriverShutdown&) const = default;
};

struct ShmLeaseRevoked {
  static constexpr std::uint16_t schema_id = driver_schema_id;
  static constexpr std::uint16_t template_id = 7;
  static constexpr std::uint16_t block_length = 26;

  std::uint64_t timestamp_ns = 0;
  std::uint64_t lease_id = 0;
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  Role role = Role::consumer;
  LeaseRevokeReason reason = LeaseRevokeReason::detached;
  std::string error_message{};

  bool operator==(const ShmLeaseRevoked&) const = default;
};

struct ShmDriverShutdownRequest {
  static constexpr std::uint16_t schema_id = driver_schema_id;
  static constexpr std::uint16_t template_id = 8;
  static constexpr std::uint16_t block_length = 9;

  std::int64_t correlation_id = 0;
  ShutdownReason reason = ShutdownReason::normal;
  std::string token{};
  std::string error_message{};

  bool operator==(const ShmDriverShutdownRequest&) const = default;
};

// --- Bridge (schema 902) ---

// A piece of a frame on its way to another host; the first one carries the slot header (at most 256 bytes).
struct BridgeFrameChunk {
  static constexpr std::uint16_t schema_id = bridge_schema_id;
  static constexpr std::uint16_t template_id = 1;
  static constexpr std::uint16_t block_length = 53;

  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  std::optional<std::uint64_t> trace_id{};  // null is 0
  std::uint32_t chunk_index = 0;
  std::uint32_t chunk_count = 0;
  std::uint32_t chunk_offset = 0;
  std::uint32_t chunk_length = 0;
  std::uint32_t payload_length = 0;
  std::uint32_t payload_crc32c = 0;
  bool header_included = false;
  Bytes header_bytes{};
  Bytes payload_bytes{};

  bool operator==(const BridgeFrameChunk&) const = default;
};

// --- Join barrier (schema 903) ---

struct SequenceMergeRule {
  static constexpr std::uint16_t block_length = 13;

  std::uint32_t input_stream_id = 0;
  MergeRuleType rule_type = MergeRuleType::offset;
  std::optional<std::int32_t> offset{};
  std::optional<std::uint32_t> window_size{};

  bool operator==(const SequenceMergeRule&) const = default;
};

struct SequenceMergeMapAnnounce {
  static constexpr std::uint16_t schema_id = merge_schema_id;
  static constexpr std::uint16_t template_id = 1;
  static constexpr std::uint16_t block_length = 20;

  std::uint32_t out_stream_id = 0;
  std::uint64_t epoch = 0;
  std::optional<std::uint64_t> stale_timeout_ns{};
  std::vector<SequenceMergeRule> rules{};

  bool operator==(const SequenceMergeMapAnnounce&) const = default;
};

struct SequenceMergeMapRequest {
  static constexpr std::uint16_t schema_id = merge_schema_id;
  static constexpr std::uint16_t template_id = 2;
  static constexpr std::uint16_t block_length = 12;

  std::uint32_t out_stream_id = 0;
  std::uint64_t epoch = 0;

  bool operator==(const SequenceMergeMapRequest&) const = default;
};

struct TimestampMergeRule {
  static constexpr std::uint16_t block_length = 22;

  std::uint32_t input_stream_id = 0;
  MergeTimeRuleType rule_type = MergeTimeRuleType::offset_ns;
  TimestampSource timestamp_source = TimestampSource::frame_descriptor;
  std::optional<std::int64_t> offset_ns{};
  std::optional<std::uint64_t> window_ns{};

  bool operator==(const TimestampMergeRule&) const = default;
};

struct TimestampMergeMapAnnounce {
  static constexpr std::uint16_t schema_id = merge_schema_id;
  static constexpr std::uint16_t template_id = 3;
  static constexpr std::uint16_t block_length = 29;

  std::uint32_t out_stream_id = 0;
  std::uint64_t epoch = 0;
  std::optional<std::uint64_t> stale_timeout_ns{};
  ClockDomain clock_domain = ClockDomain::monotonic;
  std::optional<std::uint64_t> lateness_ns{};
  std::vector<TimestampMergeRule> rules{};

  bool operator==(const TimestampMergeMapAnnounce&) const = default;
};

struct TimestampMergeMapRequest {
  static constexpr std::uint16_t schema_id = merge_schema_id;
  static constexpr std::uint16_t template_id = 4;
  static constexpr std::uint16_t block_length = 12;

  std::uint32_t out_stream_id = 0;
  std::uint64_t epoch = 0;

  bool operator==(const TimestampMergeMapRequest&) const = default;
};

// --- Trace links (schema 904) ---

struct TraceParent {
  static constexpr std::uint16_t block_length = 8;

  std::uint64_t trace_id = 0;

  bool operator==(const TraceParent&) const = default;
};

// The frames that one frame was made from.
struct TraceLinkSet {
  static constexpr std::uint16_t schema_id = trace_schema_id;
  static constexpr std::uint16_t template_id = 1;
  static constexpr std::uint16_t block_length = 28;

  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  std::uint64_t trace_id = 0;
  std::vector<TraceParent> parents{};

  bool operator==(const TraceLinkSet&) const = default;
};

// --- Discovery (schema 910) ---

struct DiscoveryRequest {
  static constexpr std::uint16_t schema_id = discovery_schema_id;
  static constexpr std::uint16_t template_id = 1;
  static constexpr std::uint16_t block_length = 32;

  std::uint64_t request_id = 0;
  std::uint32_t client_id = 0;
  std::uint32_t response_stream_id = 0;
  std::optional<std::uint32_t> stream_id{};
  std::optional<std::uint32_t> producer_id{};
  std::optional<std::uint64_t> data_source_id{};
  std::vector<std::string> tags{};
  std::string response_channel{};
  std::string data_source_name{};

  bool operator==(const DiscoveryRequest&) const = default;
};

struct DiscoveryResult {
  static constexpr std::uint16_t block_length = 39;

  std::uint32_t stream_id = 0;
  std::uint32_t producer_id = 0;
  std::uint64_t epoch = 0;
  std::uint32_t layout_version = 0;
  std::uint32_t header_nslots = 0;
  std::uint16_t header_slot_bytes = 0;
  std::uint8_t max_dims = 0;
  std::optional<std::uint64_t> data_source_id{};
  std::uint32_t driver_control_stream_id = 0;
  std::vector<PayloadPool> payload_pools{};
  std::vector<std::string> tags{};
  std::string header_region_uri{};
  std::string data_source_name{};
  std::string driver_instance_id{};
  std::string driver_control_channel{};

  bool operator==(const DiscoveryResult&) const = default;
};

struct DiscoveryResponse {
  static constexpr std::uint16_t schema_id = discovery_schema_id;
  static constexpr std::uint16_t template_id = 2;
  static constexpr std::uint16_t block_length = 9;

  std::uint64_t request_id = 0;
  DiscoveryStatus status = DiscoveryStatus::ok;
  std::vector<DiscoveryResult> results{};
  std::string error_message{};

  bool operator==(const DiscoveryResponse&) const = default;
};

}  // namespace tensorpool::protocol
