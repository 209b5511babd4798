// The part of check() that is about stream ids: those of the driver's own Aeron streams and the ranges it gives from.
#pragma once

#include <string>
#include <vector>

#include "tensorpool/driver_config.hpp"

namespace tensorpool::driver {

// Appends one line for each fault, and to `warnings` one for each pair of streams that share an id on one channel.
void check_stream_ids(const DriverConfig& config, std::vector<std::string>& errors, std::vector<std::string>& warnings);

}  // namespace tensorpool::driver
