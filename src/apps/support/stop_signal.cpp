#include "apps/support/stop_signal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "apps/support/log_file.hpp"

namespace tensorpool::apps {
namespace {

constexpr Nanos same_request_ns = nanos_per_second;

std::atomic<bool> stop{false};
bool hangup_ignored = false;  // written before there are handlers and threads
StopRequests requests;
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<Nanos>::is_always_lock_free);

extern "C" void on_stop_signal(int) { stop.store(true, std::memory_order_relaxed); }

extern "C" void on_daemon_hangup(int) { reopen_log_file(); }

extern "C" void on_repeated_signal(int signal) {
  const int saved = errno;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  if (requests.forces_end(Nanos{now.tv_sec} * nanos_per_second + now.tv_nsec)) {
    ::signal(signal, SIG_DFL);
    ::raise(signal);  // blocked in its handler, so it ends the program when this returns
  }
  stop.store(true, std::memory_order_relaxed);
  errno = saved;
}

void install(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

bool is_ignored(int signal) {
  struct sigaction inherited {};
  sigaction(signal, nullptr, &inherited);
  return inherited.sa_handler == SIG_IGN;
}

bool has_terminal() noexcept {
  const int terminal = ::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0) return false;
  ::close(terminal);
  return true;
}

}  // namespace

bool StopRequests::forces_end(Nanos now) noexcept {
  Nanos first = -1;
  return !first_.compare_exchange_strong(first, now) && now - first > same_request_ns;
}

void install_stop_signal() {
  install(SIGINT, on_repeated_signal);
  install(SIGTERM, on_repeated_signal);
  if (!is_ignored(SIGPIPE)) install(SIGPIPE, on_stop_signal);
  std::signal(SIGXFSZ, SIG_IGN);        // a write beyond the limit of a file size fails with EFBIG instead
  hangup_ignored = is_ignored(SIGHUP);  // under nohup, which is to outlive its terminal
  if (!hangup_ignored) install(SIGHUP, on_stop_signal);
}

void let_hangup_reopen_log() noexcept {
  if (hangup_ignored || !has_terminal()) install(SIGHUP, on_daemon_hangup);
}

bool stop_requested() noexcept { return stop.load(std::memory_order_relaxed); }

const std::atomic<bool>& stop_flag() noexcept { return stop; }

void request_stop() noexcept { stop.store(true, std::memory_order_relaxed); }

bool hangup_is_ignored() noexcept { return hangup_ignored; }

}  // namespace tensorpool::apps
