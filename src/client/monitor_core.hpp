// The monitor's duty cycle: listens, reads counters now and then, and lets the StreamWatch judge. It runs on a thread
// of its own, or on the caller's in invoker mode. A lock guards what snapshot() copies; nobody else ever waits for it.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/agent_runner.hpp"
#include "client/control_plane.hpp"
#include "client/stream_watch.hpp"
#include "tensorpool/monitor.hpp"

namespace tensorpool::detail {

class MonitorCore {
 public:
  static Result<std::unique_ptr<MonitorCore>> create(ClientOptions where, MonitorOptions options);
  ~MonitorCore();
  MonitorCore(const MonitorCore&) = delete;
  MonitorCore& operator=(const MonitorCore&) = delete;

  int do_work(Nanos now) noexcept;
  [[nodiscard]] MonitorSnapshot snapshot() const;

 private:
  MonitorCore(ClientOptions where, MonitorOptions options);
  int cycle(Nanos now);
  void follow_connection(Nanos now, int& work);
  int read_messages(Nanos now);
  int read_descriptors(Nanos now);
  int read_counters(Nanos now);

  const ClientOptions where_;
  const MonitorOptions options_;

  // The monitor's thread only.
  ControlPlane plane_;
  std::shared_ptr<transport::Subscription> descriptors_;
  Nanos next_counters_ = 0;
  int busy_cycles_ = 0;

  mutable std::mutex mutex_;  // guards what follows
  StreamWatch watch_;
  Nanos now_ = 0;
  bool connected_ = true;

  std::unique_ptr<AgentRunner> runner_;  // the last member: stops first
};

}  // namespace tensorpool::detail
