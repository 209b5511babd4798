// fork() copies objects whose threads, leases and files stay with the parent. A child that ends what it has copies of
// would end it for the parent: its leases by a goodbye in its name, its subscriptions at the media driver, its files.
#pragma once

#include <memory>
#include <utility>

namespace tensorpool {

// Tells whether the process that made this object is the one that asks; costs a comparison.
class Origin {
 public:
  Origin() noexcept;
  [[nodiscard]] bool is_here() const noexcept;

 private:
  unsigned forks_;  // between the first process and this object's
};

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
