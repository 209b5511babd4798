// `tp shm inspect`: what region files say about themselves, field by field.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/config/node_config.hpp"
#include "apps/flow/stats_json.hpp"
#include "shm/inspect.hpp"
#include "shm/listing.hpp"

namespace tensorpool::apps::tp {

// The region files at `path`: itself, or all below it when it is a directory, in order. `listing` says whose entries
// count, and names what was left out.
[[nodiscard]] Result<std::vector<std::string>> find_regions(const std::string& path, shm::Listing& listing);

// The namespace directories of a configuration, one for each accepted user that has made it. not_found if there is
// none.
[[nodiscard]] Result<std::vector<std::string>> namespace_dirs(const driver::DriverConfig& config,
                                                              shm::Listing& listing);

// Holds a report's fields against what somebody expects of them: "epoch=7". Errors: not FIELD=VALUE, or no such field.
[[nodiscard]] Status expect_fields(std::vector<shm::InspectedField>& fields, const std::vector<std::string>& expected);

[[nodiscard]] std::string describe(const shm::RegionReport& report, Nanos now);
[[nodiscard]] Json to_json(const shm::RegionReport& report, Nanos now);
[[nodiscard]] std::string describe(const shm::SlotReport& report);
[[nodiscard]] Json to_json(const shm::SlotReport& report);

}  // namespace tensorpool::apps::tp
