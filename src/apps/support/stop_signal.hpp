// SIGINT, SIGTERM, SIGPIPE and, unless it is ignored, SIGHUP ask a program to end cleanly: leases are given back and
// the Aeron client is closed, which a killed process cannot do. The second SIGINT or SIGTERM kills.
#pragma once

#include <atomic>

namespace tensorpool::apps {

// Installs the handlers. Call once, at the start of main.
void install_stop_signal();

// Whether the program was asked to end.
[[nodiscard]] bool stop_requested() noexcept;

// The same, for loops that take a flag.
[[nodiscard]] const std::atomic<bool>& stop_flag() noexcept;

// Ends the program as a signal would; for tests and for programs that end on their own.
void request_stop() noexcept;

}  // namespace tensorpool::apps
