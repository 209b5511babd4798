// The supervisor: watches who produces and who consumes, says when somebody should look, and tells consumers what a
// policy wants of them. It is optional: frames, leases and epochs go on without it, and go on when it dies; what is
// lost is central QoS and configuration. An agent: one thread at a time, yours, calls do_work, which never waits.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/client.hpp"
#include "tensorpool/monitor.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool {

// What consumers are told by ConsumerConfig when they do otherwise. The wire has no rate in it: a consumer that is told
// to be rate-limited keeps to its own max_rate_hz.
struct SupervisorPolicy {
  std::uint32_t stream_id = 0;    // 0 = every stream
  std::uint32_t consumer_id = 0;  // 0 = every consumer of it
  bool rate_limited = false;      // mode RATE_LIMITED, else STREAM
  bool use_shm = true;
  std::string payload_fallback_uri{};  // where a consumer gets frames that shall not, or cannot, read shared memory
};

struct SupervisorOptions {
  // The Aeron directory, channels and stream ids; its name and announce_period_ns hold too. Never starts a thread.
  ClientOptions where{};
  std::uint32_t stream_id = 0;  // 0 = all streams
  Nanos liveness_timeout_ns = 5 * nanos_per_second;
  Nanos liveness_check_interval_ns = nanos_per_second;  // at most the time-out; counters are read and written so often
  // As in MonitorOptions. A camera that waits for a trigger is silent by design: give its stream a longer one, or 0.
  Nanos no_frames_timeout_ns = 5 * nanos_per_second;
  std::vector<NoFramesTimeout> no_frames_timeouts{};
  // The first that matches a consumer decides; a consumer without one is left alone.
  std::vector<SupervisorPolicy> policies{};
  // The least time between two configs for one consumer; it doubles, up to a minute, while the consumer does otherwise.
  Nanos config_interval_ns = nanos_per_second;
  // Called by do_work: what a Monitor tells, and the configs that were sent or ignored. is_alert says what needs a
  // look.
  std::function<void(const MonitorEvent&)> on_event{};
};

struct SupervisorStats {
  std::uint64_t alerts = 0;
  std::uint64_t configs_sent = 0;
  std::uint64_t configs_unsent = 0;   // back-pressure, or nobody there; sent later
  std::uint64_t configs_ignored = 0;  // consumers that went on doing otherwise after five
  std::uint64_t strangers = 0;        // configs of others for consumers that nobody heard of, or that break a rule
  std::uint64_t untracked = 0;        // consumers for which there is no room
  std::uint64_t no_frames = 0;        // alerts no_frames
};

namespace supervisor {
class Supervision;
}

// One that was moved from may only be destroyed or assigned to.
class Supervisor {
 public:
  // Errors: no media driver, no permission, a time out of range, a policy that cannot be sent.
  [[nodiscard]] static Result<Supervisor> create(SupervisorOptions options);
  Supervisor(Supervisor&&) noexcept;
  Supervisor& operator=(Supervisor&&) noexcept;
  ~Supervisor();

  [[nodiscard]] std::string_view name() const noexcept { return "supervisor"; }
  // One duty cycle at CLOCK_MONOTONIC `now`; returns the work done, 0 lets the caller idle.
  int do_work(Nanos now) noexcept;

  // REQUIRES: called by the thread that calls do_work.
  [[nodiscard]] MonitorSnapshot snapshot() const;
  [[nodiscard]] SupervisorStats stats() const noexcept;

 private:
  explicit Supervisor(std::unique_ptr<supervisor::Supervision> supervision) noexcept;
  std::unique_ptr<supervisor::Supervision> supervision_;
};

}  // namespace tensorpool
