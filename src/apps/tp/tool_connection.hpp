// A tool's own connection: one Aeron client run by the caller, and a bounded wait that heeds a stop.
#pragma once

#include <atomic>
#include <functional>

#include "tensorpool/client.hpp"
#include "transport/connection.hpp"

namespace tensorpool::apps::tp {

inline constexpr int fragments_per_poll = 64;

[[nodiscard]] Result<transport::Connection> connect_tool(const ClientOptions& client);

// Runs duty cycles of `connection`, each followed by `step`, until `step` says true, `deadline` passes or `stop` is
// set. Returns what `step` said last.
bool pump(transport::Connection& connection, Nanos deadline, const std::atomic<bool>& stop,
          const std::function<bool()>& step);

}  // namespace tensorpool::apps::tp
