#include "tensorpool/monitor.hpp"

#include <utility>

#include "base/origin.hpp"
#include "client/monitor_core.hpp"

namespace tensorpool {

std::string_view to_string(Liveness liveness) noexcept {
  switch (liveness) {
    case Liveness::alive:
      return "alive";
    case Liveness::stale:
      return "stale";
    case Liveness::gone:
      return "gone";
  }
  return "unknown";
}

std::string_view to_string(DriverState state) noexcept {
  switch (state) {
    case DriverState::unknown:
      return "unknown";
    case DriverState::alive:
      return "alive";
    case DriverState::silent:
      return "silent";
    case DriverState::shut_down:
      return "shut_down";
  }
  return "unknown";
}

std::string_view to_string(MonitorEventKind kind) noexcept {
  switch (kind) {
    case MonitorEventKind::producer_appeared:
      return "producer_appeared";
    case MonitorEventKind::producer_stale:
      return "producer_stale";
    case MonitorEventKind::producer_gone:
      return "producer_gone";
    case MonitorEventKind::consumer_appeared:
      return "consumer_appeared";
    case MonitorEventKind::consumer_stale:
      return "consumer_stale";
    case MonitorEventKind::consumer_gone:
      return "consumer_gone";
    case MonitorEventKind::epoch_changed:
      return "epoch_changed";
    case MonitorEventKind::drops_rising:
      return "drops_rising";
    case MonitorEventKind::driver_silent:
      return "driver_silent";
    case MonitorEventKind::driver_shutdown:
      return "driver_shutdown";
    case MonitorEventKind::driver_back:
      return "driver_back";
    case MonitorEventKind::media_driver_lost:
      return "media_driver_lost";
    case MonitorEventKind::media_driver_back:
      return "media_driver_back";
    case MonitorEventKind::no_frames:
      return "no_frames";
    case MonitorEventKind::frames_resumed:
      return "frames_resumed";
    case MonitorEventKind::config_sent:
      return "config_sent";
    case MonitorEventKind::config_ignored:
      return "config_ignored";
  }
  return "unknown";
}

bool is_alert(const MonitorEvent& event) noexcept {
  switch (event.kind) {
    case MonitorEventKind::producer_gone:
    case MonitorEventKind::consumer_gone:
      return event.reason != EndReason::detached;
    case MonitorEventKind::producer_stale:
    case MonitorEventKind::consumer_stale:
    case MonitorEventKind::no_frames:
    case MonitorEventKind::drops_rising:
    case MonitorEventKind::driver_silent:
    case MonitorEventKind::driver_shutdown:
    case MonitorEventKind::media_driver_lost:
    case MonitorEventKind::config_ignored:
      return true;
    default:
      return false;
  }
}

Monitor::Monitor(std::unique_ptr<detail::MonitorCore> core) noexcept : core_(std::move(core)) {}
Monitor::Monitor(Monitor&&) noexcept = default;
Monitor& Monitor::operator=(Monitor&& other) noexcept {
  replace(core_, std::move(other.core_));
  return *this;
}
Monitor::~Monitor() { leave_to_its_process(core_); }

Result<Monitor> Monitor::open(ClientOptions where, MonitorOptions options) {
  auto core = detail::MonitorCore::create(std::move(where), std::move(options));
  if (!core) return core.error();
  return Monitor(*std::move(core));
}

// A lock of the copy may have been taken when the parent forked.
MonitorSnapshot Monitor::snapshot() const { return core_->origin.is_here() ? core_->snapshot() : MonitorSnapshot{}; }

int Monitor::do_work(Nanos now) noexcept { return core_->origin.is_here() ? core_->do_work(now) : 0; }

}  // namespace tensorpool
