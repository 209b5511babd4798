// What the owner of regions, a driver or a standalone producer, says of them on the wire.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/messages.hpp"
#include "shm/region_layout.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::shm {

[[nodiscard]] std::string header_uri(const RegionLayout& layout);
[[nodiscard]] std::vector<protocol::PayloadPool> payload_pools(const RegionLayout& layout);

// producer_id 0: nobody writes this epoch. `now` is CLOCK_MONOTONIC.
[[nodiscard]] protocol::ShmPoolAnnounce make_announce(const RegionLayout& layout, std::uint32_t producer_id, Nanos now);

}  // namespace tensorpool::shm
