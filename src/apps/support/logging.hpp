// Log lines of our programs: time, level, text, on standard error, so that standard output holds results alone.
#pragma once

#include <string>
#include <vector>

#include "base/log.hpp"

namespace tensorpool::apps {

// A sink for the library's logs; thread-safe. Lines below `least` are dropped.
[[nodiscard]] LogSink stderr_log(LogLevel least = LogLevel::info);

// Each of them as a warning, on standard error.
void log_warnings(const std::vector<std::string>& warnings);

}  // namespace tensorpool::apps
