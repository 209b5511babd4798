#include "apps/support/logging.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>

#include "base/printable.hpp"

namespace tensorpool::apps {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// Colour on a terminal that has it, unless NO_COLOR is set.
spdlog::color_mode color_mode() {
  const char* refused = std::getenv("NO_COLOR");
  return refused != nullptr && *refused != '\0' ? spdlog::color_mode::never : spdlog::color_mode::automatic;
}

}  // namespace

LogSink stderr_log(LogLevel least) {
  auto logger = std::make_shared<spdlog::logger>("tensorpool",
                                                 std::make_shared<spdlog::sinks::stderr_color_sink_mt>(color_mode()));
  logger->set_pattern("%H:%M:%S.%e %^%-7l%$ %v");
  logger->set_level(level_of(least));
  logger->flush_on(spdlog::level::debug);
  return [logger = std::move(logger)](LogLevel level, std::string_view text) {
    const std::string line = printable(text, Lines::one);
    logger->log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
  };
}

void log_warnings(const std::vector<std::string>& warnings) {
  const LogSink log = stderr_log(LogLevel::warning);
  for (const std::string& warning : warnings) {
    log(LogLevel::warning, warning);
  }
}

}  // namespace tensorpool::apps
