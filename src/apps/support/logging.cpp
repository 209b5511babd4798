#include "apps/support/logging.hpp"

#include <spdlog/details/os.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

#include "apps/support/print.hpp"
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
bool may_color_errors() {
  const char* refused = std::getenv("NO_COLOR");
  return (refused == nullptr || *refused == '\0') && spdlog::details::os::in_terminal(stderr) &&
         spdlog::details::os::is_color_terminal();
}

// The part of a line to colour, on a terminal that has colours.
std::string_view colour_of(spdlog::level::level_enum level) {
  if (level >= spdlog::level::err) return "\x1b[1;31m";
  return level == spdlog::level::warn ? "\x1b[1;33m" : "\x1b[32m";
}

// spdlog's own sinks for standard error block a program that is to end on a reader that does not read.
class ErrorSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t formatted;
    formatter_->format(message, formatted);
    std::string line(formatted.data(), formatted.size());
    if (colours_ && message.color_range_end > message.color_range_start) {
      line.insert(message.color_range_end, "\x1b[m");
      line.insert(message.color_range_start, colour_of(message.level));
    }
    print_error_text(line);
  }
  void flush_() override {}

 private:
  const bool colours_ = may_color_errors();
};

}  // namespace

LogSink stderr_log(LogLevel least) {
  auto logger = std::make_shared<spdlog::logger>("tensorpool", std::make_shared<ErrorSink>());
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
