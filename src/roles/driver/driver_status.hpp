// DriverStatus: what a driver can say about itself, copied out on request; for tools, tests and the Aeron counters.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/codec.hpp"
#include "protocol/enums.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::driver {

inline constexpr std::size_t decode_fault_count = static_cast<std::size_t>(protocol::DecodeFault::bad_value) + 1;

// Totals since the start. One line here is one Aeron counter (counters.cpp).
struct DriverCounts {
  std::uint64_t attaches = 0;  // attaches granted
  std::uint64_t refusals = 0;  // attaches refused, all causes
  std::uint64_t detaches = 0;
  std::uint64_t keepalives = 0;      // accepted
  std::uint64_t unknown_leases = 0;  // keepalives and detaches whose fields match no live lease
  std::uint64_t expirations = 0;     // leases that ended by silence
  std::uint64_t epochs_made = 0;
  std::uint64_t epochs_collected = 0;
  std::uint64_t provisioning_failures = 0;
  std::uint64_t announces = 0;
  std::uint64_t malformed = 0;  // control messages that did not decode, all causes
  std::uint64_t malformed_descriptors = 0;
  std::uint64_t discarded_at_start = 0;  // control messages of a former life
  std::uint64_t bad_tokens = 0;          // shutdown requests with a wrong or empty token
  std::uint64_t unsent = 0;              // messages given up: back-pressure outlasted its time, or too long
  std::uint64_t reconnects = 0;          // media driver lost and found again
  std::uint64_t unanswered_hellos = 0;   // one consumer asked for streams of its own too often
  std::uint64_t pauses = 0;              // no duty cycle for half a lease: stopped, or a loop that stood still
};

struct StreamStatus {
  std::uint32_t stream_id = 0;
  std::string name;  // of a static stream; empty for a dynamic one
  std::string profile;
  bool dynamic = false;
  std::uint64_t epoch = 0;        // 0: not provisioned
  std::uint32_t producer_id = 0;  // 0: no producer
  std::uint32_t consumers = 0;
  std::uint64_t bytes_reserved = 0;  // of the current epoch
  std::uint64_t descriptors = 0;     // seen on the shared descriptor stream
};

struct LeaseStatus {
  std::uint64_t lease_id = 0;
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  protocol::Role role = protocol::Role::consumer;
  Nanos expires_at = 0;
  std::uint64_t keepalives = 0;
};

enum class DriverState : std::uint8_t { running, disconnected, draining, closing, finished };
[[nodiscard]] std::string_view to_string(DriverState state) noexcept;

struct DriverStatus {
  DriverState state = DriverState::running;
  std::string instance_id;
  std::vector<StreamStatus> streams;
  std::vector<LeaseStatus> leases;
  std::uint64_t bytes_reserved = 0;
  std::uint32_t jobs_pending = 0;  // provisioning still to be done
  DriverCounts counts;
  std::array<std::uint64_t, decode_fault_count> malformed_by_fault{};  // indexed by protocol::DecodeFault
};

}  // namespace tensorpool::driver
