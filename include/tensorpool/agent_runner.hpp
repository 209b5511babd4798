// A thread that runs the duty cycles of agents until it is stopped: time is fetched once per cycle and passed in.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "tensorpool/agent.hpp"
#include "tensorpool/idle.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool {

// Cycles that came late: from the beginning of one to the beginning of the next took longer than the limit.
struct Stalls {
  std::uint64_t count = 0;
  Nanos longest_ns = 0;  // of all cycles, late or not
};

// Counts them. For one's own loop too: one thread calls cycle, any may read.
class StallMeter {
 public:
  explicit StallMeter(Nanos limit_ns) noexcept : limit_ns_(limit_ns) {}

  void cycle(Nanos now) noexcept {
    const Nanos took = last_ == 0 ? 0 : now - last_;
    last_ = now;
    if (took > longest_ns_.load(std::memory_order_relaxed)) longest_ns_.store(took, std::memory_order_relaxed);
    if (took > limit_ns_) count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  [[nodiscard]] Stalls read() const noexcept {
    return {count_.load(std::memory_order_relaxed), longest_ns_.load(std::memory_order_relaxed)};
  }

 private:
  const Nanos limit_ns_;
  Nanos last_ = 0;  // the cycling thread only
  std::atomic<std::uint64_t> count_{0};
  std::atomic<Nanos> longest_ns_{0};
};

struct RunnerOptions {
  std::string name = "agents";  // of the thread; 15 characters show
  IdleMode idle = IdleMode::backoff;
  Nanos nap_ns = nanos_per_milli;  // of IdleMode::sleep, and at most of IdleMode::backoff
  Nanos stall_limit_ns = 100 * nanos_per_milli;
};

class AgentRunner {
 public:
  // Starts the thread, which runs a cycle of each agent, in this order. Throws std::system_error, and nothing else, if
  // the system has no thread to give. REQUIRES: they outlive the runner, and nobody else calls their do_work.
  template <Agent... A>
  explicit AgentRunner(const RunnerOptions& options, A&... agents)
      : AgentRunner(options.name, Idle(options.idle, options.nap_ns), CycleOf<A...>(agents...),
                    options.stall_limit_ns) {}
  // The same for a function. It must not throw.
  AgentRunner(std::string name, Idle idle, std::function<int(Nanos)> duty,
              Nanos stall_limit_ns = 100 * nanos_per_milli);
  AgentRunner(const AgentRunner&) = delete;
  AgentRunner& operator=(const AgentRunner&) = delete;
  ~AgentRunner();  // stops

  // Returns after the cycle in hand. Idempotent. In a child that fork() made there is no thread, and nothing to stop.
  // REQUIRES: not called by an agent of its own.
  void stop() noexcept;
  // Any thread.
  [[nodiscard]] Stalls stalls() const noexcept { return meter_.read(); }

 private:
  template <class... A>
  struct CycleOf {
    explicit CycleOf(A&... agents) noexcept : composite(agents...) {}
    int operator()(Nanos now) noexcept { return composite.do_work(now); }
    CompositeAgent<A...> composite;
  };

  void run() noexcept;

  std::string name_;
  Idle idle_;
  std::function<int(Nanos)> duty_;
  StallMeter meter_;
  std::atomic<bool> running_{true};
  unsigned process_;  // that has the thread
  std::thread thread_;
};

}  // namespace tensorpool
