#include "tensorpool/supervisor.hpp"

#include <utility>

#include "base/origin.hpp"
#include "roles/supervisor/supervision.hpp"

namespace tensorpool {

Supervisor::Supervisor(std::unique_ptr<supervisor::Supervision> supervision) noexcept
    : supervision_(std::move(supervision)) {}
Supervisor::Supervisor(Supervisor&&) noexcept = default;
Supervisor& Supervisor::operator=(Supervisor&& other) noexcept {
  replace(supervision_, std::move(other.supervision_));
  return *this;
}
Supervisor::~Supervisor() { leave_to_its_process(supervision_); }

Result<Supervisor> Supervisor::create(SupervisorOptions options) {
  auto made = supervisor::Supervision::create(std::move(options));
  if (!made) return made.error();
  return Supervisor(*std::move(made));
}

int Supervisor::do_work(Nanos now) noexcept { return supervision_->origin.is_here() ? supervision_->do_work(now) : 0; }
MonitorSnapshot Supervisor::snapshot() const {
  return supervision_->origin.is_here() ? supervision_->snapshot() : MonitorSnapshot{};
}
SupervisorStats Supervisor::stats() const noexcept { return supervision_->stats(); }

}  // namespace tensorpool
