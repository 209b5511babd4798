#include "apps/support/stop_signal.hpp"

#include <csignal>

namespace tensorpool::apps {
namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void on_stop_signal(int) { stop.store(true, std::memory_order_relaxed); }

void install(int signal, int flags) {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

void install_stop_signal() {
  // Back to the default after the first one, so that an impatient user always gets out.
  install(SIGINT, static_cast<int>(SA_RESETHAND));
  install(SIGTERM, static_cast<int>(SA_RESETHAND));
  install(SIGPIPE, 0);
  struct sigaction inherited {};
  sigaction(SIGHUP, nullptr, &inherited);
  if (inherited.sa_handler != SIG_IGN) install(SIGHUP, 0);  // ignored under nohup, which is to outlive its terminal
}

bool stop_requested() noexcept { return stop.load(std::memory_order_relaxed); }

const std::atomic<bool>& stop_flag() noexcept { return stop; }

void request_stop() noexcept { stop.store(true, std::memory_order_relaxed); }

}  // namespace tensorpool::apps
