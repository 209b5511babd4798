// A client's events as log lines on standard error.
#pragma once

#include <functional>

#include "tensorpool/client.hpp"

namespace tensorpool::apps {

// For ClientOptions::on_event.
[[nodiscard]] std::function<void(const Event&)> log_events();

}  // namespace tensorpool::apps
