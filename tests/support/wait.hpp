// Waiting in tests: for a condition, under a watchdog that only a broken program meets. Never for a time.
#pragma once

#include <chrono>
#include <thread>

namespace tensorpool {

// Long enough for the slowest sanitizer on a busy machine; a test that passes never waits for it.
inline constexpr std::chrono::seconds watchdog{60};

// True as soon as `condition()` is; false when the watchdog barks.
template <class Condition>
[[nodiscard]] bool eventually(Condition&& condition, std::chrono::nanoseconds limit = watchdog) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace tensorpool
