// A counter with one writer that any thread may read: the application's thread counts, the conductor reports.
#pragma once

#include <atomic>
#include <cstdint>

namespace tensorpool::detail {

class CounterCell {
 public:
  // Writer only: a load and a store, no locked instruction.
  void add(std::uint64_t n = 1) noexcept { set(get() + n); }
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace tensorpool::detail
