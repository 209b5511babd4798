// Numbers and texts of the wire that are not laid out in a message: ids, versions, limits, and what peers match by
// text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tensorpool::protocol {

// Every message on Aeron starts with blockLength, templateId, schemaId and version, two bytes each.
inline constexpr std::size_t message_header_length = 8;

inline constexpr std::uint16_t control_schema_id = 900;
inline constexpr std::uint16_t driver_schema_id = 901;
inline constexpr std::uint16_t bridge_schema_id = 902;
inline constexpr std::uint16_t merge_schema_id = 903;
inline constexpr std::uint16_t trace_schema_id = 904;
inline constexpr std::uint16_t discovery_schema_id = 910;

// All six schemas are at version 1.
inline constexpr std::uint16_t schema_version = 1;

// Version of the shared-memory layout, as announced, asked for and stored in each superblock.
inline constexpr std::uint32_t layout_version = 1;

// Limits that the schemas state. A group's count 65535 is the null of its type.
inline constexpr std::uint32_t max_var_data_length = 1'073'741'824;
inline constexpr std::size_t max_group_entries = 65'534;
inline constexpr std::size_t max_bridge_header_length = 256;

// Aeron channel and stream ids used where nothing is configured.
inline constexpr std::string_view default_channel = "aeron:ipc";
inline constexpr std::int32_t default_control_stream_id = 1000;
inline constexpr std::int32_t default_descriptor_stream_id = 1100;
inline constexpr std::int32_t default_qos_stream_id = 1200;
inline constexpr std::int32_t default_metadata_stream_id = 1300;
inline constexpr std::int32_t default_bridge_payload_stream_id = 3000;
inline constexpr std::int32_t default_bridge_control_stream_id = 3001;
inline constexpr std::int32_t default_bridge_metadata_stream_id = 3002;
inline constexpr std::int32_t default_discovery_request_stream_id = 7000;
inline constexpr std::int32_t default_discovery_response_stream_id = 7004;

// Refusals that clients of other implementations compare with: never reword them.
inline constexpr std::string_view refusal_client_id_attached = "client_id already attached";
inline constexpr std::string_view refusal_producer_attached = "producer already attached";
inline constexpr std::string_view refusal_stream_not_provisioned = "stream not provisioned";
inline constexpr std::string_view refusal_layout_version = "layout_version mismatch";
inline constexpr std::string_view refusal_node_id = "node_id unavailable";
inline constexpr std::string_view refusal_draining = "driver draining";
inline constexpr std::string_view refusal_unknown_lease = "unknown lease";

}  // namespace tensorpool::protocol
