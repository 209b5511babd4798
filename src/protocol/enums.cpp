#include "protocol/enums.hpp"

namespace tensorpool::protocol {
namespace {

constexpr std::string_view unknown = "unknown";

}  // namespace

std::string_view to_string(ResponseCode value) noexcept {
  switch (value) {
    case ResponseCode::ok:
      return "OK";
    case ResponseCode::unsupported:
      return "UNSUPPORTED";
    case ResponseCode::invalid_params:
      return "INVALID_PARAMS";
    case ResponseCode::rejected:
      return "REJECTED";
    case ResponseCode::internal_error:
      return "INTERNAL_ERROR";
  }
  return unknown;
}

std::string_view to_string(Role value) noexcept {
  switch (value) {
    case Role::producer:
      return "PRODUCER";
    case Role::consumer:
      return "CONSUMER";
  }
  return unknown;
}

std::string_view to_string(PublishMode value) noexcept {
  switch (value) {
    case PublishMode::require_existing:
      return "REQUIRE_EXISTING";
    case PublishMode::existing_or_create:
      return "EXISTING_OR_CREATE";
  }
  return unknown;
}

std::string_view to_string(HugepagesPolicy value) noexcept {
  switch (value) {
    case HugepagesPolicy::unspecified:
      return "UNSPECIFIED";
    case HugepagesPolicy::standard:
      return "STANDARD";
    case HugepagesPolicy::hugepages:
      return "HUGEPAGES";
  }
  return unknown;
}

std::string_view to_string(LeaseRevokeReason value) noexcept {
  switch (value) {
    case LeaseRevokeReason::detached:
      return "DETACHED";
    case LeaseRevokeReason::expired:
      return "EXPIRED";
    case LeaseRevokeReason::revoked:
      return "REVOKED";
  }
  return unknown;
}

std::string_view to_string(ShutdownReason value) noexcept {
  switch (value) {
    case ShutdownReason::normal:
      return "NORMAL";
    case ShutdownReason::admin:
      return "ADMIN";
    case ShutdownReason::error:
      return "ERROR";
  }
  return unknown;
}

std::string_view to_string(Mode value) noexcept {
  switch (value) {
    case Mode::stream:
      return "STREAM";
    case Mode::rate_limited:
      return "RATE_LIMITED";
  }
  return unknown;
}

std::string_view to_string(ClockDomain value) noexcept {
  switch (value) {
    case ClockDomain::monotonic:
      return "MONOTONIC";
    case ClockDomain::realtime_synced:
      return "REALTIME_SYNCED";
  }
  return unknown;
}

std::string_view to_string(RegionType value) noexcept {
  switch (value) {
    case RegionType::header_ring:
      return "HEADER_RING";
    case RegionType::payload_pool:
      return "PAYLOAD_POOL";
  }
  return unknown;
}

std::string_view to_string(FrameProgressState value) noexcept {
  switch (value) {
    case FrameProgressState::unknown:
      return "UNKNOWN";
    case FrameProgressState::started:
      return "STARTED";
    case FrameProgressState::progress:
      return "PROGRESS";
    case FrameProgressState::complete:
      return "COMPLETE";
  }
  return unknown;
}

std::string_view to_string(DiscoveryStatus value) noexcept {
  switch (value) {
    case DiscoveryStatus::ok:
      return "OK";
    case DiscoveryStatus::not_found:
      return "NOT_FOUND";
    case DiscoveryStatus::error:
      return "ERROR";
  }
  return unknown;
}

std::string_view to_string(TimestampSource value) noexcept {
  switch (value) {
    case TimestampSource::frame_descriptor:
      return "FRAME_DESCRIPTOR";
    case TimestampSource::slot_header:
      return "SLOT_HEADER";
  }
  return unknown;
}

std::string_view to_string(MergeRuleType value) noexcept {
  switch (value) {
    case MergeRuleType::offset:
      return "OFFSET";
    case MergeRuleType::window:
      return "WINDOW";
  }
  return unknown;
}

std::string_view to_string(MergeTimeRuleType value) noexcept {
  switch (value) {
    case MergeTimeRuleType::offset_ns:
      return "OFFSET_NS";
    case MergeTimeRuleType::window_ns:
      return "WINDOW_NS";
  }
  return unknown;
}

}  // namespace tensorpool::protocol
