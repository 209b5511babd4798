// What `tp top` shows of a monitor's snapshot: rows for people, an object for programs.
#pragma once

#include <vector>

#include "apps/flow/stats_json.hpp"
#include "apps/support/redrawn_lines.hpp"
#include "apps/tp/client_names.hpp"
#include "tensorpool/monitor.hpp"

namespace tensorpool::apps::tp {

// A summary, a heading, and per stream a row for it, for its producers and for its consumers. No line is wider than
// `width` (0: any): the columns stand in the order of their importance, and the last ones are dropped.
[[nodiscard]] std::vector<StyledLine> top_lines(const MonitorSnapshot& snapshot, const ClientNames& names,
                                                std::size_t width);
[[nodiscard]] Json to_json(const MonitorSnapshot& snapshot, const ClientNames& names);

}  // namespace tensorpool::apps::tp
