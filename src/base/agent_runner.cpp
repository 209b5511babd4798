#include "tensorpool/agent_runner.hpp"

#include <pthread.h>

#include <new>
#include <utility>

#include "base/origin.hpp"

namespace tensorpool {
namespace {

unsigned this_process() noexcept {
  const Origin counts_forks;
  return process_number.load(std::memory_order_relaxed);
}

}  // namespace

AgentRunner::AgentRunner(std::string name, Idle idle, std::function<int(Nanos)> duty, Nanos stall_limit_ns)
    : name_(std::move(name)),
      idle_(idle),
      duty_(std::move(duty)),
      meter_(stall_limit_ns),
      process_(this_process()),
      thread_([this] { run(); }) {}

AgentRunner::~AgentRunner() { stop(); }

void AgentRunner::stop() noexcept {
  // fork() copies the handle of a thread that only the parent has: it can be neither joined nor detached.
  if (thread_.joinable() && process_ != this_process()) {
    (void)new (std::nothrow) std::thread(std::move(thread_));
    return;
  }
  running_.store(false, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

void AgentRunner::run() noexcept {
  ::pthread_setname_np(::pthread_self(), name_.substr(0, 15).c_str());
  while (running_.load(std::memory_order_relaxed)) {
    const Nanos now = monotonic_now();
    meter_.cycle(now);
    idle_.idle(duty_(now));
  }
}

}  // namespace tensorpool
