// Waiting in tests: for a condition, under a watchdog that only a broken program meets. Never for a time. How soon a
// condition came is held against what the protocol promises, generously.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>

namespace tensorpool {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

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

// What a test allows for something that the protocol does within `nominal_ms`; 0: at once. Two busy cores may be slow
// by a factor, and a whole second late; sanitizers more so.
constexpr std::int64_t generous_ms(std::int64_t nominal_ms) {
  return std::max<std::int64_t>(2000, 4 * nominal_ms) * (sanitized ? 4 : 1);
}

// Runs from its making.
class Stopwatch {
 public:
  [[nodiscard]] std::int64_t ms() const {
    const auto passed = std::chrono::steady_clock::now() - begun_;
    return std::chrono::duration_cast<std::chrono::milliseconds>(passed).count();
  }

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace tensorpool
