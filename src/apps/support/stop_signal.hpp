// SIGINT, SIGTERM, SIGPIPE and, unless it is ignored, SIGHUP ask a program to end cleanly: leases are given back and
// the Aeron client is closed, which a killed process cannot do. SIGINT and SIGTERM within a second of the first one
// are the same request: `timeout`, shells and service managers send several. A later one kills, with the status that
// the shell gives to it, 128 + its number.
#pragma once

#include <atomic>

#include "tensorpool/time.hpp"

namespace tensorpool::apps {

// Installs the handlers. Call once, at the start of main. SIGPIPE stays ignored where it is, as under systemd.
void install_stop_signal();

// Whether the program was asked to end.
[[nodiscard]] bool stop_requested() noexcept;

// The same, for loops that take a flag.
[[nodiscard]] const std::atomic<bool>& stop_flag() noexcept;

// Ends the program as a signal would; for tests and for programs that end on their own.
void request_stop() noexcept;

// For programs that serve others: without a controlling terminal, or where SIGHUP was ignored at the start, SIGHUP
// opens the log file again (log_file.hpp) and ends nothing. With a terminal it still ends the program cleanly.
void let_hangup_reopen_log() noexcept;

// Whether SIGHUP was ignored when the program started: it is to outlive its terminal.
[[nodiscard]] bool hangup_is_ignored() noexcept;

// Tells a repeated request to end from an impatient one. Async-signal-safe.
class StopRequests {
 public:
  // Whether the request at `now` (monotonic) is to force the end.
  bool forces_end(Nanos now) noexcept;

 private:
  std::atomic<Nanos> first_{-1};
};

}  // namespace tensorpool::apps
