#include "client/monitor_core.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/start_thread.hpp"
#include "client/conductor_idle.hpp"
#include "protocol/dispatch.hpp"

namespace tensorpool::detail {
namespace {

constexpr Nanos longest_setting_ns = 3600 * nanos_per_second;
constexpr int descriptor_limit = 1024;

Status check(const ClientOptions& where, const MonitorOptions& options) {
  const auto bad = [](const char* name, Nanos value, Nanos least) {
    return make_error(ErrorCode::invalid_argument, "MonitorOptions::{} is {} ns; it must be at least {} and at most {}",
                      name, value, least, longest_setting_ns);
  };
  if (options.liveness_timeout_ns < nanos_per_milli || options.liveness_timeout_ns > longest_setting_ns) {
    return bad("liveness_timeout_ns", options.liveness_timeout_ns, nanos_per_milli);
  }
  if (auto good = check_no_frames("MonitorOptions", options.no_frames_timeout_ns, options.no_frames_timeouts); !good) {
    return good;
  }
  if (options.counters_interval_ns < 0 || options.counters_interval_ns > longest_setting_ns) {
    return bad("counters_interval_ns", options.counters_interval_ns, 0);
  }
  return check_lookout(where);
}

Lookout::Settings settings_of(const MonitorOptions& options) {
  Lookout::Settings settings;
  settings.watch.stream_id = options.stream_id;
  settings.watch.liveness_timeout_ns = options.liveness_timeout_ns;
  settings.watch.check_interval_ns = std::max(options.liveness_timeout_ns / 20, nanos_per_milli);
  settings.watch.no_frames_timeout_ns = options.no_frames_timeout_ns;
  settings.watch.no_frames_timeouts = options.no_frames_timeouts;
  settings.counters_interval_ns = options.counters_interval_ns;
  return settings;
}

}  // namespace

Result<std::unique_ptr<MonitorCore>> MonitorCore::create(ClientOptions where, MonitorOptions options) {
  if (auto good = check(where, options); !good) return good.error();
  const bool invoker = where.invoker;
  const Idle idle = conductor_idle(where);
  std::unique_ptr<MonitorCore> core(new MonitorCore(std::move(where), std::move(options)));
  core->now_ = invoker && core->where_.wait ? core->where_.wait() : monotonic_now();
  if (auto opened = core->lookout_.open(core->now_); !opened) return opened.error();
  if (!invoker) {
    const Status started = start_thread([&] {
      core->runner_ = std::make_unique<AgentRunner>(core->where_.name, idle,
                                                    [raw = core.get()](Nanos now) { return raw->do_work(now); });
    });
    if (!started) return started.error();
  }
  return core;
}

MonitorCore::MonitorCore(ClientOptions where, MonitorOptions options)
    : where_(std::move(where)), options_(std::move(options)), lookout_(where_, settings_of(options_)) {}

MonitorCore::~MonitorCore() {
  if (runner_) runner_->stop();
}

int MonitorCore::do_work(Nanos now) noexcept {
  const auto facts = lookout_.look_at_counters(now);  // maps a file: outside the lock
  std::vector<MonitorEvent> events;
  int work = facts ? 1 : 0;
  {
    const std::lock_guard lock(mutex_);
    if (facts) {
      lookout_.watch().on_leases(facts->leases, now);
      lookout_.watch().on_figures(facts->clients, now);
    }
    work += cycle(now);
    events = lookout_.watch().take_events();
  }
  for (const MonitorEvent& event : events) {
    if (options_.on_event) options_.on_event(event);
  }
  return work;
}

int MonitorCore::cycle(Nanos now) {
  now_ = now;
  return lookout_.do_work(now, [](std::span<const std::byte>) {}) + read_descriptors(now);
}

int MonitorCore::read_descriptors(Nanos now) {
  ControlPlane& plane = lookout_.plane();
  if (!options_.descriptors || !plane.up()) return 0;
  if (!descriptors_ || generation_ != plane.generation()) {
    auto added = plane.add_descriptor_subscription();
    if (!added) return 0;  // the connection is going; the next one brings another
    descriptors_ = *std::move(added);
    generation_ = plane.generation();
  }
  struct Reader {
    StreamWatch& watch;
    Nanos now;
    void on(const protocol::FrameDescriptor& descriptor) { watch.on(descriptor, now); }
  };
  Reader reader{lookout_.watch(), now};
  return descriptors_->poll(
      [&](std::span<const std::byte> bytes) {
        if (protocol::dispatch<protocol::FrameDescriptor>(bytes, reader).malformed()) reader.watch.on_malformed();
      },
      descriptor_limit);
}

MonitorSnapshot MonitorCore::snapshot() const {
  const std::lock_guard lock(mutex_);
  MonitorSnapshot taken = lookout_.watch().snapshot(now_);
  taken.connected = lookout_.connected();
  return taken;
}

}  // namespace tensorpool::detail
