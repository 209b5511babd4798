#include "client/monitor_core.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/random.hpp"
#include "client/counter_facts.hpp"
#include "client/grant.hpp"
#include "protocol/dispatch.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::detail {
namespace {

constexpr Nanos longest_ns = 3600 * nanos_per_second;
constexpr int descriptor_limit = 1024;
constexpr std::size_t max_clients = 8192;  // whose counters are read
// Judgement waits for an empty inbox, but a flood does not put it off for ever.
constexpr int most_busy_cycles = 200;

Status check(const ClientOptions& where, const MonitorOptions& options) {
  const auto bad = [](const char* name, Nanos value, Nanos least) {
    return make_error(ErrorCode::invalid_argument, "{} is {} ns; it must be at least {} and at most {}", name, value,
                      least, longest_ns);
  };
  if (options.liveness_timeout_ns < nanos_per_milli || options.liveness_timeout_ns > longest_ns) {
    return bad("MonitorOptions::liveness_timeout_ns", options.liveness_timeout_ns, nanos_per_milli);
  }
  if (options.counters_interval_ns < 0 || options.counters_interval_ns > longest_ns) {
    return bad("MonitorOptions::counters_interval_ns", options.counters_interval_ns, 0);
  }
  if (where.announce_period_ns <= 0 || where.announce_period_ns > longest_ns) {
    return bad("ClientOptions::announce_period_ns", where.announce_period_ns, 1);
  }
  if (where.conductor_nap_ns <= 0 || where.conductor_nap_ns > longest_ns) {
    return bad("ClientOptions::conductor_nap_ns", where.conductor_nap_ns, 1);
  }
  return {};
}

struct Reader {
  StreamWatch& watch;
  Nanos listening_since;
  Nanos freshness_ns;
  Nanos now;

  void on(const protocol::ShmPoolAnnounce& announce) {
    const bool by_realtime = announce.announce_clock_domain == protocol::ClockDomain::realtime_synced;
    if (is_fresh(announce, freshness_ns, listening_since, now, by_realtime ? realtime_now() : 0)) {
      watch.on(announce, now);
    }
  }
  template <class Message>
  void on(const Message& message) {
    watch.on(message, now);
  }
};

StreamWatch::Settings settings_of(const MonitorOptions& options) {
  StreamWatch::Settings settings;
  settings.stream_id = options.stream_id;
  settings.liveness_timeout_ns = options.liveness_timeout_ns;
  settings.check_interval_ns = std::max(options.liveness_timeout_ns / 20, nanos_per_milli);
  return settings;
}

}  // namespace

Result<std::unique_ptr<MonitorCore>> MonitorCore::create(ClientOptions where, MonitorOptions options) {
  if (auto good = check(where, options); !good) return good.error();
  const bool invoker = where.invoker;
  const Idle idle(IdleMode::sleep, where.conductor_nap_ns);
  std::unique_ptr<MonitorCore> core(new MonitorCore(std::move(where), std::move(options)));
  core->now_ = invoker && core->where_.wait ? core->where_.wait() : monotonic_now();
  if (auto opened = core->plane_.open(core->now_); !opened) return opened.error();
  if (!invoker) {
    core->runner_ = std::make_unique<AgentRunner>(core->where_.name, idle,
                                                  [raw = core.get()](Nanos now) { return raw->do_work(now); });
  }
  return core;
}

MonitorCore::MonitorCore(ClientOptions where, MonitorOptions options)
    : where_(std::move(where)),
      options_(std::move(options)),
      plane_(where_, RandomSource(random_u64), ControlPlane::Ends::listening),
      watch_(settings_of(options_)) {}

MonitorCore::~MonitorCore() {
  if (runner_) runner_->stop();
}

int MonitorCore::do_work(Nanos now) noexcept {
  const int counters = read_counters(now);  // reads a file: outside the lock
  std::vector<MonitorEvent> events;
  int work = counters;
  {
    const std::lock_guard lock(mutex_);
    work += cycle(now);
    events = watch_.take_events();
  }
  for (const MonitorEvent& event : events) {
    if (options_.on_event) options_.on_event(event);
  }
  return work;
}

int MonitorCore::cycle(Nanos now) {
  now_ = now;
  int work = 0;
  follow_connection(now, work);
  const int heard = read_messages(now);
  work += heard + read_descriptors(now);
  busy_cycles_ = heard == 0 ? 0 : busy_cycles_ + 1;
  if (connected_ && (heard == 0 || busy_cycles_ > most_busy_cycles)) work += watch_.check(now);
  return work;
}

void MonitorCore::follow_connection(Nanos now, int& work) {
  switch (plane_.tick(now, work)) {
    case ControlPlane::Change::none:
      break;
    case ControlPlane::Change::lost:
      connected_ = false;
      descriptors_.reset();
      watch_.tell(MonitorEventKind::media_driver_lost, 0, 0,
                  fmt::format("the connection to the media driver is lost ({}); reconnecting: {}", plane_.trouble(),
                              plane_.describe()),
                  now);
      break;
    case ControlPlane::Change::back:
      connected_ = true;
      watch_.on_reconnected(now);
      watch_.tell(MonitorEventKind::media_driver_back, 0, 0, fmt::format("reconnected: {}", plane_.describe()), now);
      break;
  }
}

int MonitorCore::read_messages(Nanos now) {
  Reader reader{watch_, plane_.listening_since(), 3 * where_.announce_period_ns, now};
  return plane_.poll([&](std::span<const std::byte> bytes) {
    const auto outcome = protocol::dispatch<protocol::ShmLeaseKeepalive, protocol::QosProducer, protocol::QosConsumer,
                                            protocol::ConsumerHello, protocol::ShmPoolAnnounce,
                                            protocol::ShmLeaseRevoked, protocol::ShmDriverShutdown>(bytes, reader);
    if (outcome.malformed()) watch_.on_malformed();
  });
}

int MonitorCore::read_descriptors(Nanos now) {
  if (!options_.descriptors || !plane_.up()) return 0;
  if (!descriptors_) {
    auto added = plane_.add_descriptor_subscription();
    if (!added) return 0;  // the connection is going; the next one brings another
    descriptors_ = *std::move(added);
  }
  Reader reader{watch_, plane_.listening_since(), 3 * where_.announce_period_ns, now};
  return descriptors_->poll(
      [&](std::span<const std::byte> bytes) {
        if (protocol::dispatch<protocol::FrameDescriptor>(bytes, reader).malformed()) watch_.on_malformed();
      },
      descriptor_limit);
}

int MonitorCore::read_counters(Nanos now) {
  if (options_.counters_interval_ns == 0 || now < next_counters_ || !plane_.up()) return 0;
  next_counters_ = now + options_.counters_interval_ns;
  const auto counters =
      transport::read_counters(where_.aeron_dir.empty() ? transport::default_aeron_dir() : where_.aeron_dir);
  if (!counters) return 0;  // the media driver goes; its connection will say so
  const std::lock_guard lock(mutex_);
  watch_.on_leases(leases_in(*counters, where_.control.stream_id, max_clients), now);
  watch_.on_figures(clients_in(*counters, where_.control.stream_id, max_clients), now);
  return 1;
}

MonitorSnapshot MonitorCore::snapshot() const {
  const std::lock_guard lock(mutex_);
  MonitorSnapshot taken = watch_.snapshot(now_);
  taken.connected = connected_;
  return taken;
}

}  // namespace tensorpool::detail
