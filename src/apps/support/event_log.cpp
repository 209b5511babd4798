#include "apps/support/event_log.hpp"

#include <fmt/format.h>

#include "apps/support/logging.hpp"

namespace tensorpool::apps {
namespace {

// A clean end is news, and no warning.
LogLevel level_of(const Event& event) {
  switch (event.kind) {
    case EventKind::producer_gone:
      return event.reason == EndReason::detached ? LogLevel::info : LogLevel::warning;
    case EventKind::attached:
    case EventKind::remapped:
    case EventKind::media_driver_back:
    case EventKind::frames_resumed:
    case EventKind::log:
      return LogLevel::info;
    default:
      return LogLevel::warning;
  }
}

}  // namespace

std::function<void(const Event&)> log_events() {
  return [log = stderr_log()](const Event& event) {
    log(level_of(event), fmt::format("{}: {}", to_string(event.kind), event.message));
  };
}

}  // namespace tensorpool::apps
