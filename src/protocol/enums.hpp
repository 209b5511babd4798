// The enumerations of the wire, with their wire values. Dtype, MajorOrder and ProgressUnit are public:
// tensorpool/tensor.hpp. is_valid tells a named value from anything else a peer may have sent; to_string says "unknown"
// for those.
#pragma once

#include <cstdint>
#include <string_view>

namespace tensorpool::protocol {

enum class ResponseCode : std::int32_t {
  ok = 0,
  unsupported = 1,
  invalid_params = 2,
  rejected = 3,
  internal_error = 4
};
enum class Role : std::uint8_t { producer = 1, consumer = 2 };
enum class PublishMode : std::uint8_t { require_existing = 1, existing_or_create = 2 };
enum class HugepagesPolicy : std::uint8_t { unspecified = 0, standard = 1, hugepages = 2 };
enum class LeaseRevokeReason : std::uint8_t { detached = 1, expired = 2, revoked = 3 };
enum class ShutdownReason : std::uint8_t { normal = 0, admin = 1, error = 2 };
enum class Mode : std::uint8_t { stream = 1, rate_limited = 2 };
enum class ClockDomain : std::uint8_t { monotonic = 1, realtime_synced = 2 };
enum class RegionType : std::int16_t { header_ring = 1, payload_pool = 2 };
enum class FrameProgressState : std::uint8_t { unknown = 0, started = 1, progress = 2, complete = 3 };
enum class DiscoveryStatus : std::uint8_t { ok = 1, not_found = 2, error = 3 };
enum class TimestampSource : std::uint8_t { frame_descriptor = 1, slot_header = 2 };
enum class MergeRuleType : std::uint8_t { offset = 0, window = 1 };
enum class MergeTimeRuleType : std::uint8_t { offset_ns = 0, window_ns = 1 };

[[nodiscard]] std::string_view to_string(ResponseCode value) noexcept;
[[nodiscard]] std::string_view to_string(Role value) noexcept;
[[nodiscard]] std::string_view to_string(PublishMode value) noexcept;
[[nodiscard]] std::string_view to_string(HugepagesPolicy value) noexcept;
[[nodiscard]] std::string_view to_string(LeaseRevokeReason value) noexcept;
[[nodiscard]] std::string_view to_string(ShutdownReason value) noexcept;
[[nodiscard]] std::string_view to_string(Mode value) noexcept;
[[nodiscard]] std::string_view to_string(ClockDomain value) noexcept;
[[nodiscard]] std::string_view to_string(RegionType value) noexcept;
[[nodiscard]] std::string_view to_string(FrameProgressState value) noexcept;
[[nodiscard]] std::string_view to_string(DiscoveryStatus value) noexcept;
[[nodiscard]] std::string_view to_string(TimestampSource value) noexcept;
[[nodiscard]] std::string_view to_string(MergeRuleType value) noexcept;
[[nodiscard]] std::string_view to_string(MergeTimeRuleType value) noexcept;

// Whether the value is one that the schema names.
[[nodiscard]] constexpr bool is_valid(ResponseCode value) noexcept {
  return value >= ResponseCode::ok && value <= ResponseCode::internal_error;
}
[[nodiscard]] constexpr bool is_valid(Role value) noexcept {
  return value == Role::producer || value == Role::consumer;
}
[[nodiscard]] constexpr bool is_valid(PublishMode value) noexcept {
  return value == PublishMode::require_existing || value == PublishMode::existing_or_create;
}
[[nodiscard]] constexpr bool is_valid(HugepagesPolicy value) noexcept { return value <= HugepagesPolicy::hugepages; }
[[nodiscard]] constexpr bool is_valid(LeaseRevokeReason value) noexcept {
  return value >= LeaseRevokeReason::detached && value <= LeaseRevokeReason::revoked;
}
[[nodiscard]] constexpr bool is_valid(ShutdownReason value) noexcept { return value <= ShutdownReason::error; }
[[nodiscard]] constexpr bool is_valid(Mode value) noexcept {
  return value == Mode::stream || value == Mode::rate_limited;
}
[[nodiscard]] constexpr bool is_valid(ClockDomain value) noexcept {
  return value == ClockDomain::monotonic || value == ClockDomain::realtime_synced;
}
[[nodiscard]] constexpr bool is_valid(RegionType value) noexcept {
  return value == RegionType::header_ring || value == RegionType::payload_pool;
}
[[nodiscard]] constexpr bool is_valid(FrameProgressState value) noexcept {
  return value <= FrameProgressState::complete;
}
[[nodiscard]] constexpr bool is_valid(DiscoveryStatus value) noexcept {
  return value >= DiscoveryStatus::ok && value <= DiscoveryStatus::error;
}
[[nodiscard]] constexpr bool is_valid(TimestampSource value) noexcept {
  return value == TimestampSource::frame_descriptor || value == TimestampSource::slot_header;
}
[[nodiscard]] constexpr bool is_valid(MergeRuleType value) noexcept { return value <= MergeRuleType::window; }
[[nodiscard]] constexpr bool is_valid(MergeTimeRuleType value) noexcept {
  return value <= MergeTimeRuleType::window_ns;
}

}  // namespace tensorpool::protocol
