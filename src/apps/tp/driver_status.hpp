// What was seen of a driver, for people and programs: `tp driver status|leases|streams|dump`.
#pragma once

#include <string>

#include "apps/flow/stats_json.hpp"
#include "apps/tp/driver_sight.hpp"

namespace tensorpool::apps::tp {

// Why nothing was seen, or another driver than `instance_id` (empty: any); empty if it is the one.
[[nodiscard]] std::string what_is_missing(const DriverSight& sight, const std::string& instance_id);

// A line for each stream, lease and figure.
[[nodiscard]] std::string describe(const DriverSight& sight, Nanos now);
[[nodiscard]] std::string describe_leases(const DriverSight& sight, Nanos now);
// Each stream with its regions, its clients, their leases and their figures that are not 0.
[[nodiscard]] std::string describe_streams(const DriverSight& sight, Nanos now);

[[nodiscard]] Json to_json(const DriverSight& sight, Nanos now);
[[nodiscard]] Json leases_to_json(const DriverSight& sight, Nanos now);
[[nodiscard]] Json streams_to_json(const DriverSight& sight);

}  // namespace tensorpool::apps::tp
