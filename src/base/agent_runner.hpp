// A thread that runs duty cycles until it is stopped: time is fetched once per cycle and passed in.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "base/idle.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool {

class AgentRunner {
 public:
  // Starts the thread, named `name` (15 characters show). `duty` must not throw.
  AgentRunner(std::string name, Idle idle, std::function<int(Nanos)> duty);
  AgentRunner(const AgentRunner&) = delete;
  AgentRunner& operator=(const AgentRunner&) = delete;
  ~AgentRunner();  // stops

  // Returns after the cycle in hand. Idempotent. REQUIRES: not called by the duty itself.
  void stop() noexcept;

 private:
  void run() noexcept;

  std::string name_;
  Idle idle_;
  std::function<int(Nanos)> duty_;
  std::atomic<bool> running_{true};
  std::thread thread_;
};

}  // namespace tensorpool
