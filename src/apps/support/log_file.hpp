// A log file in the place of standard error: the program's own lines and those of libraries alike.
#pragma once

#include <string>

#include "tensorpool/result.hpp"

namespace tensorpool::apps {

// What --help says about --log-file.
inline constexpr const char* log_file_option =
    "append log lines to this file instead of standard error; SIGHUP opens it again, after a rotation";

// Appends all that goes to standard error to the file at `path` from now on, which is made if need be, readable for
// the group. Nothing for an empty path. Call it once, before there are threads.
[[nodiscard]] Status log_to_file(const std::string& path);

// Opens the file of log_to_file() again, by its path: after logrotate has moved it, this makes its successor. Does
// nothing without one; goes on with the old file, and says so in it, where that fails. Async-signal-safe.
void reopen_log_file() noexcept;

}  // namespace tensorpool::apps
