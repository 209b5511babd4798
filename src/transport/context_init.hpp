// Making an Aeron context, of client or media driver. Private to the Aeron implementation.
#pragma once

#include <mutex>

namespace tensorpool::transport {

inline std::mutex context_init_mutex;

// Aeron keeps the user's name in one static buffer while it fills in a context's defaults, so two threads that prepare
// contexts at once race. Every call of ours that does so runs under this one lock.
template <class Call>
auto with_context_init_lock(Call&& call) {
  const std::lock_guard lock(context_init_mutex);
  return call();
}

}  // namespace tensorpool::transport
