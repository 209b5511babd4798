// `tp driver shutdown`: asks, and waits for the driver's goodbye.
#pragma once

#include <atomic>
#include <string>

#include "tensorpool/client.hpp"

namespace tensorpool::apps::tp {

struct ShutdownOptions {
  std::string token;
  Nanos timeout_ns = 5 * nanos_per_second;
};

// What the driver said. timed_out when it said nothing: wrong token, none configured, or no driver there.
[[nodiscard]] Result<std::string> shut_down_driver(const ClientOptions& client, const ShutdownOptions& options,
                                                   const std::atomic<bool>& stop);

}  // namespace tensorpool::apps::tp
