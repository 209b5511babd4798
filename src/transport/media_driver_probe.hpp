// The parts of probe_media_driver() that starting an embedded media driver needs one by one. Private to the Aeron
// implementation.
#pragma once

#include <cstdint>
#include <string>

#include "transport/media_driver.hpp"

namespace tensorpool::transport {

// After so long without a heartbeat every client of Aeron gives a media driver up.
inline constexpr Nanos heartbeat_timeout = 10 * nanos_per_second;

// What the lock file beside an Aeron directory tells about the last embedded media driver there.
struct LockRecord {
  bool held = false;     // by a media driver that lives, in whatever pid namespace
  std::int64_t pid = 0;  // of its last holder; an orderly end empties it
  Nanos written_at = 0;  // realtime
};

[[nodiscard]] LockRecord read_lock(const std::string& aeron_dir);

// As probe_media_driver(), with what the lock file told earlier.
[[nodiscard]] MediaDriverProbe probe_with(const std::string& aeron_dir, const LockRecord& lock);

}  // namespace tensorpool::transport
