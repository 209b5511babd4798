// What a driver says about itself to whoever listens: its announces of two periods, and its Aeron counters.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "apps/flow/stats_json.hpp"
#include "protocol/messages.hpp"
#include "tensorpool/client.hpp"
#include "transport/counters.hpp"

namespace tensorpool::apps::tp {

struct DriverSight {
  std::string aeron_dir;
  std::map<std::uint32_t, protocol::ShmPoolAnnounce> streams;  // the latest announce of each
  std::vector<transport::CounterValue> counters;               // the driver's, labels without what they all begin with

  [[nodiscard]] bool seen() const { return !streams.empty() || !counters.empty(); }
};

// Listens for at most two announce periods. Errors: no media driver, no permission, a channel that Aeron refuses.
[[nodiscard]] Result<DriverSight> look_at_driver(const ClientOptions& client, const std::atomic<bool>& stop);

[[nodiscard]] std::string describe(const DriverSight& sight);
[[nodiscard]] Json to_json(const DriverSight& sight);

}  // namespace tensorpool::apps::tp
