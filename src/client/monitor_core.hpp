// The monitor's duty cycle: a Lookout, and the descriptors if asked for. It runs on a thread of its own, or on the
// caller's in invoker mode. A lock guards what snapshot() copies; nobody else ever waits for it.
#pragma once

#include <memory>
#include <mutex>

#include "base/origin.hpp"
#include "client/lookout.hpp"
#include "tensorpool/agent_runner.hpp"
#include "tensorpool/monitor.hpp"

namespace tensorpool::detail {

class MonitorCore {
 public:
  static Result<std::unique_ptr<MonitorCore>> create(ClientOptions where, MonitorOptions options);
  ~MonitorCore();
  MonitorCore(const MonitorCore&) = delete;
  MonitorCore& operator=(const MonitorCore&) = delete;

  const Origin origin{};

  int do_work(Nanos now) noexcept;
  [[nodiscard]] MonitorSnapshot snapshot() const;

 private:
  MonitorCore(ClientOptions where, MonitorOptions options);
  int cycle(Nanos now);
  int read_descriptors(Nanos now);

  const ClientOptions where_;
  const MonitorOptions options_;

  // The monitor's thread only.
  std::shared_ptr<transport::Subscription> descriptors_;
  std::uint64_t generation_ = 0;  // of the connection that they are of

  mutable std::mutex mutex_;  // guards what follows
  Lookout lookout_;
  Nanos now_ = 0;

  std::unique_ptr<AgentRunner> runner_;  // the last member: stops first
};

}  // namespace tensorpool::detail
