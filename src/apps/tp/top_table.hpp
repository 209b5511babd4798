// What `tp top` shows of a monitor's snapshot: rows for people, an object for programs.
#pragma once

#include <string>
#include <vector>

#include "apps/flow/stats_json.hpp"
#include "tensorpool/monitor.hpp"

namespace tensorpool::apps::tp {

// One line about everything, a header, and per stream a row of its own, of its producers and of its consumers.
[[nodiscard]] std::vector<std::string> top_rows(const MonitorSnapshot& snapshot);
[[nodiscard]] Json to_json(const MonitorSnapshot& snapshot);

}  // namespace tensorpool::apps::tp
