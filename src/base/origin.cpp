#include "base/origin.hpp"

#include <pthread.h>

#include <atomic>

namespace tensorpool {
namespace {

std::atomic<unsigned> forks{0};

void count_fork() { forks.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

Origin::Origin() noexcept {
  static const int registered = ::pthread_atfork(nullptr, nullptr, count_fork);
  static_cast<void>(registered);
  forks_ = forks.load(std::memory_order_relaxed);
}

bool Origin::is_here() const noexcept { return forks_ == forks.load(std::memory_order_relaxed); }

}  // namespace tensorpool
