// fork() copies objects whose threads, leases and files stay with the parent. A child that ends what it has copies of
// would end it for the parent: its leases by a goodbye in its name, its subscriptions at the media driver, its files.
// Nor may it use them: it would write into the parent's slots, and move the parent's positions in Aeron's logs.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>
#include <utility>

#include "tensorpool/result.hpp"

namespace tensorpool {

// Which process this is: a number that each fork() makes higher in its child, as soon as there was an Origin. Never 0.
inline constinit std::atomic<unsigned> process_number{1};

// Tells whether the process that made this object is the one that asks; costs a comparison.
class Origin {
 public:
  Origin() noexcept;
  [[nodiscard]] bool is_here() const noexcept { return number_ == process_number.load(std::memory_order_relaxed); }

 private:
  unsigned number_;
};

// A state that only the process that set it is in. Costs no more than a plain flag and a comparison.
class LocalFlag {
 public:
  void set(bool value) noexcept {
    set_in_.store(value ? process_number.load(std::memory_order_relaxed) : 0, std::memory_order_release);
  }
  [[nodiscard]] bool is_set() const noexcept {
    return set_in_.load(std::memory_order_acquire) == process_number.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<unsigned> set_in_{0};
};

// What an operation of a handle that fork() copied fails with.
[[nodiscard]] Error error_of_forked(std::string_view handle);

// For the destructor of a handle to something with a member `origin`: a copy that a fork made is leaked.
template <class T>
void leave_to_its_process(std::unique_ptr<T>& handle) noexcept {
  if (handle != nullptr && !handle->origin.is_here()) static_cast<void>(handle.release());
}

// Its move assignment.
template <class T>
void replace(std::unique_ptr<T>& handle, std::unique_ptr<T>&& by) noexcept {
  leave_to_its_process(handle);
  handle = std::move(by);
}

}  // namespace tensorpool
