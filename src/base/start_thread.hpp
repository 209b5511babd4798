// The system may have no thread to give. The standard library says so by throwing; ours answers an error.
#pragma once

#include <system_error>
#include <utility>

#include "base/error.hpp"

namespace tensorpool {

// Calls `start`, which makes one std::thread.
template <class Start>
[[nodiscard]] Status start_thread(Start&& start) {
  try {
    std::forward<Start>(start)();
  } catch (const std::system_error& error) {
    return make_error(ErrorCode::no_space, "cannot start a thread: {} (limits: ulimit -u, TasksMax of a service)",
                      errno_text(error.code().value()));
  }
  return {};
}

}  // namespace tensorpool
