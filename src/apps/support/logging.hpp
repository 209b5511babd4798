// Log lines of our programs: time, level, text, on standard error, so that standard output holds results alone.
#pragma once

#include "base/log.hpp"

namespace tensorpool::apps {

// A sink for the library's logs; thread-safe. Lines below `least` are dropped.
[[nodiscard]] LogSink stderr_log(LogLevel least = LogLevel::info);

}  // namespace tensorpool::apps
