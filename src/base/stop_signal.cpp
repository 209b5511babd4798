#include "tensorpool/stop_signal.hpp"

#include <atomic>
#include <csignal>
#include <ctime>

#include "tensorpool/time.hpp"

namespace tensorpool {
namespace {

constexpr Nanos same_request_ns = nanos_per_second;

std::atomic<Nanos> asked_at{0};  // 0: not yet
static_assert(std::atomic<Nanos>::is_always_lock_free);

// Async-signal-safe.
extern "C" void on_signal_to_stop(int signal) {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  const Nanos now = Nanos{time.tv_sec} * nanos_per_second + time.tv_nsec;
  Nanos never = 0;
  if (asked_at.compare_exchange_strong(never, now) || now - never < same_request_ns) return;
  std::signal(signal, SIG_DFL);
  ::raise(signal);  // is delivered when this handler returns
}

bool install_handlers() noexcept {
  struct sigaction action {};
  action.sa_handler = on_signal_to_stop;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction inherited {};
    sigaction(signal, nullptr, &inherited);
    if (signal != SIGHUP || inherited.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
  return true;
}

}  // namespace

bool keep_running() noexcept {
  static const bool installed = install_handlers();
  return installed && asked_at.load(std::memory_order_relaxed) == 0;
}

}  // namespace tensorpool
