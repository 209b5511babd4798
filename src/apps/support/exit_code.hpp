// The exit statuses of all our programs; docs/tp.md documents them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tensorpool/result.hpp"

namespace tensorpool::apps {

enum ExitCode : int {
  exit_ok = 0,
  exit_failed = 1,       // it did not work, or what was verified was wrong
  exit_usage = 2,        // arguments or configuration that cannot be right
  exit_unavailable = 3,  // no media driver, no driver, or no answer in time
  exit_refused = 4,      // the driver answered no
  exit_alert = 5,        // tp supervise: an event that --exit-on names
};

[[nodiscard]] constexpr ExitCode exit_code_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::invalid_config:
      return exit_usage;
    case ErrorCode::timed_out:
    case ErrorCode::unavailable:
      return exit_unavailable;
    case ErrorCode::refused:
      return exit_refused;
    default:
      return exit_failed;
  }
}

// Reports why the program ends: as text on standard error and, after choose_error_format() found `--format json`, as an
// object on standard output. Returns the exit status. A wait that a signal ended is no failure.
int give_up(std::string_view program, const Error& error);

// Whether these arguments hold `--format json`, decides how give_up() reports. Call at the start of main.
void choose_error_format(std::span<const char* const> arguments);

// {"error":{"code":"timed_out","message":"...","status":3}}, one line.
[[nodiscard]] std::string error_json(const Error& error);

}  // namespace tensorpool::apps
