// Which cache a pool fits in: frames that stay in a cache are copied 2.5 to 4 times as fast as those that come from
// memory, so a ring no longer than it need be is the cheapest tuning.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/flow/stats_json.hpp"
#include "apps/tp/machine.hpp"
#include "tensorpool/driver_config.hpp"

namespace tensorpool::apps::tp {

struct CacheFit {
  std::string profile;
  std::uint16_t pool_id = 0;
  std::uint32_t nslots = 0;
  std::uint32_t stride_bytes = 0;

  [[nodiscard]] std::uint64_t bytes() const { return std::uint64_t{nslots} * stride_bytes; }
};

// Each pool of each profile.
[[nodiscard]] std::vector<CacheFit> pools_of(const driver::DriverConfig& config);

[[nodiscard]] std::string describe(const CacheFit& pool, const Caches& caches);
// "fits_in": "L2", "L3" or null; absent where the caches are unknown.
[[nodiscard]] Json to_json(const CacheFit& pool, const Caches& caches);

}  // namespace tensorpool::apps::tp
