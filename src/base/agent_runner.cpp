#include "tensorpool/agent_runner.hpp"

#include <pthread.h>

#include <utility>

namespace tensorpool {

AgentRunner::AgentRunner(std::string name, Idle idle, std::function<int(Nanos)> duty, Nanos stall_limit_ns)
    : name_(std::move(name)), idle_(idle), duty_(std::move(duty)), meter_(stall_limit_ns), thread_([this] { run(); }) {}

AgentRunner::~AgentRunner() { stop(); }

void AgentRunner::stop() noexcept {
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
