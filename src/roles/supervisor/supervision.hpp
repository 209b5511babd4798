// The supervisor's duty cycle: a Lookout hears and judges, the PolicyDesk says who is to be told what, this sends it.
// One thread, whose ever calls do_work.
#pragma once

#include <memory>
#include <vector>

#include "base/origin.hpp"
#include "client/lookout.hpp"
#include "roles/supervisor/policy_desk.hpp"
#include "roles/supervisor/supervisor_counters.hpp"
#include "tensorpool/supervisor.hpp"

namespace tensorpool::supervisor {

class Supervision {
 public:
  static Result<std::unique_ptr<Supervision>> create(SupervisorOptions options);
  Supervision(const Supervision&) = delete;
  Supervision& operator=(const Supervision&) = delete;

  const Origin origin{};

  int do_work(Nanos now) noexcept;
  [[nodiscard]] MonitorSnapshot snapshot() const;
  [[nodiscard]] SupervisorStats stats() const noexcept;

 private:
  explicit Supervision(SupervisorOptions options);
  int read_counters(Nanos now);
  int tell_consumers(Nanos now);
  int tell_events();

  const SupervisorOptions options_;
  detail::Lookout lookout_;
  PolicyDesk desk_;
  SupervisorCounters counters_;
  std::uint64_t alerts_ = 0;
  std::uint64_t no_frames_ = 0;
  Nanos next_desk_ = 0;
  Nanos next_check_ = 0;
  Nanos now_ = 0;
};

}  // namespace tensorpool::supervisor
