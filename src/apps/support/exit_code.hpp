// The exit statuses of all our programs; docs/tp.md documents them.
#pragma once

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

// Says on standard error why the program ends; its exit status. Who was stopped by a signal while he waited has not
// failed.
int give_up(std::string_view program, const Error& error);

}  // namespace tensorpool::apps
