#include "apps/support/event_log.hpp"

#include <fmt/format.h>

#include "apps/support/logging.hpp"

namespace tensorpool::apps {
namespace {

LogLevel level_of(EventKind kind) {
  switch (kind) {
    case EventKind::attached:
    case EventKind::remapped:
    case EventKind::media_driver_back:
    case EventKind::log:
      return LogLevel::info;
    default:
      return LogLevel::warning;
  }
}

}  // namespace

std::function<void(const Event&)> log_events() {
  return [log = stderr_log()](const Event& event) {
    log(level_of(event.kind), fmt::format("{}: {}", to_string(event.kind), event.message));
  };
}

}  // namespace tensorpool::apps
