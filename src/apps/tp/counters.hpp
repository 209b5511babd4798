// `tp counters`: the Aeron counters of a media driver, ours grouped by whose they are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/flow/stats_json.hpp"
#include "transport/counters.hpp"

namespace tensorpool::apps::tp {

// The counters of drivers, leases and clients, or with `all` everybody's, whose label contains `match`.
[[nodiscard]] std::vector<transport::CounterValue> choose_counters(std::vector<transport::CounterValue> counters,
                                                                   bool all, std::string_view match = {});
// Ours below a line for each owner; the others, as they are, at the end.
[[nodiscard]] std::string describe(const std::vector<transport::CounterValue>& counters);
[[nodiscard]] Json to_json(const std::vector<transport::CounterValue>& counters);

}  // namespace tensorpool::apps::tp
