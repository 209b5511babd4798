// What a profile asks of the region files. (footprint.cpp)
#pragma once

#include <vector>

#include "shm/region_creator.hpp"
#include "tensorpool/driver_config.hpp"

namespace tensorpool::driver {

[[nodiscard]] std::vector<shm::PoolSpec> pool_specs(const Profile& profile);

}  // namespace tensorpool::driver
