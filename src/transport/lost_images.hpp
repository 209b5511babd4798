// Which images a subscription lost last: written by the conductor's thread, asked by the polling one, without a lock.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tensorpool::transport {

class LostImages {
 public:
  // The conductor's thread only.
  void add(std::int32_t session_id) noexcept {
    const std::uint64_t number = count_.load(std::memory_order_relaxed);
    sessions_[number % remembered].store(session_id, std::memory_order_relaxed);
    count_.store(number + 1, std::memory_order_release);  // partner: the acquire in count()
  }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_.load(std::memory_order_acquire); }
  // Whether an image of that session was lost since the count was `since`; yes also if too many were to tell.
  [[nodiscard]] bool any_of(std::int32_t session_id, std::uint64_t since) const noexcept {
    bool found = false;
    const std::uint64_t end = count();
    for (std::uint64_t number = since; number < end && number - since < remembered; ++number) {
      found = found || sessions_[number % remembered].load(std::memory_order_relaxed) == session_id;
    }
    return found || count() - since >= remembered;  // the last one may be under the writer's pen
  }

 private:
  static constexpr std::size_t remembered = 64;
  std::array<std::atomic<std::int32_t>, remembered> sessions_{};
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace tensorpool::transport
