// Hands objects from a conductor to an application thread by one atomic pointer, and back for destruction.
// The conductor offers; the application thread takes the newest offer between frames and retires what it had; the
// conductor destroys what was retired and what was offered but never taken. No locks, no allocation, no lost object.
// T needs a member `T* next_retired`, which belongs to the handoff once the object is retired.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

namespace tensorpool {

template <class T>
class Handoff {
 public:
  Handoff() = default;
  Handoff(const Handoff&) = delete;
  Handoff& operator=(const Handoff&) = delete;
  // REQUIRES: the application thread is done with the handoff, and retired what it had taken.
  ~Handoff() {
    delete offered_.load(std::memory_order_acquire);
    while (reclaim()) {
    }
  }

  // Conductor: makes `object` the newest. Returns an earlier offer that nobody took.
  std::unique_ptr<T> offer(std::unique_ptr<T> object) noexcept {
    // Release: the application thread sees the object whole. Partner: take().
    return std::unique_ptr<T>(offered_.exchange(object.release(), std::memory_order_acq_rel));
  }

  // Application thread: whether take() would return one.
  [[nodiscard]] bool has_offer() const noexcept { return offered_.load(std::memory_order_relaxed) != nullptr; }
  // Application thread: the newest offer, or null when there is none since the last call.
  [[nodiscard]] T* take() noexcept {
    if (!has_offer()) return nullptr;
    return offered_.exchange(nullptr, std::memory_order_acq_rel);
  }

  // Application thread: gives back what it no longer uses.
  void retire(T* object) noexcept {
    object->next_retired = retired_.load(std::memory_order_relaxed);
    // Release: the conductor sees every use as past before it destroys. Partner: reclaim().
    while (!retired_.compare_exchange_weak(object->next_retired, object, std::memory_order_release,
                                           std::memory_order_relaxed)) {
    }
  }

  // Conductor: destroys what was retired. True if there was anything.
  bool reclaim() noexcept {
    T* list = retired_.exchange(nullptr, std::memory_order_acquire);
    const bool any = list != nullptr;
    while (list != nullptr) {
      T* const next = list->next_retired;
      delete list;
      list = next;
    }
    return any;
  }

 private:
  std::atomic<T*> offered_{nullptr};
  std::atomic<T*> retired_{nullptr};
};

}  // namespace tensorpool
