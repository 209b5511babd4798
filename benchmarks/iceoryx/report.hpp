// What is said of durations: one JSON object.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "options.hpp"

namespace tensorpool::bench {

// Of durations in nanoseconds. `mean_ns` where the mean is not that of the durations; it then also gives the rates.
// REQUIRES: at least one duration.
[[nodiscard]] std::string to_json(const Options& options, std::vector<std::uint64_t> durations,
                                  std::optional<double> mean_ns = {});

}  // namespace tensorpool::bench
