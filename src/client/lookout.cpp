#include "client/lookout.hpp"

#include "base/error.hpp"
#include "base/random.hpp"
#include "client/counter_facts.hpp"
#include "client/grant.hpp"
#include "protocol/dispatch.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::detail {
namespace {

constexpr Nanos longest_ns = 3600 * nanos_per_second;
constexpr std::size_t most_no_frames_timeouts = 1024;
constexpr std::size_t max_clients = 8192;  // whose counters are read

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

}  // namespace

Status check_lookout(const ClientOptions& where) {
  const auto bad = [](const char* name, Nanos value) {
    return make_error(ErrorCode::invalid_argument, "ClientOptions::{} is {} ns; it must be at least 1 and at most {}",
                      name, value, longest_ns);
  };
  if (where.announce_period_ns <= 0 || where.announce_period_ns > longest_ns) {
    return bad("announce_period_ns", where.announce_period_ns);
  }
  if (where.conductor_nap_ns <= 0 || where.conductor_nap_ns > longest_ns) {
    return bad("conductor_nap_ns", where.conductor_nap_ns);
  }
  return {};
}

Status check_no_frames(std::string_view owner, Nanos timeout_ns, const std::vector<NoFramesTimeout>& of_streams) {
  if (timeout_ns < 0) {
    return make_error(ErrorCode::invalid_argument,
                      "{}::no_frames_timeout_ns is {}; it must be positive, or 0 for never", owner, timeout_ns);
  }
  if (of_streams.size() > most_no_frames_timeouts) {
    return make_error(ErrorCode::invalid_argument, "{}::no_frames_timeouts has {} streams; at most {} are allowed",
                      owner, of_streams.size(), most_no_frames_timeouts);
  }
  for (const NoFramesTimeout& one : of_streams) {
    if (one.stream_id != 0 && one.timeout_ns >= 0) continue;
    return make_error(
        ErrorCode::invalid_argument,
        "{}::no_frames_timeouts has {} ns for stream {}; the timeout must be positive, or 0 for never, and "
        "the stream id not 0",
        owner, one.timeout_ns, one.stream_id);
  }
  return {};
}

Lookout::Lookout(const ClientOptions& where, const Settings& settings)
    : where_(where),
      settings_(settings),
      plane_(where_, RandomSource(random_u64), settings.ends),
      watch_(settings.watch) {}

int Lookout::follow_connection(Nanos now) {
  int work = 0;
  switch (plane_.tick(now, work)) {
    case ControlPlane::Change::none:
      break;
    case ControlPlane::Change::lost:
      watch_.tell({.kind = MonitorEventKind::media_driver_lost,
                   .message = fmt::format("the connection to the media driver is lost ({}); reconnecting: {}",
                                          plane_.trouble(), plane_.describe())},
                  now);
      break;
    case ControlPlane::Change::back:
      watch_.on_reconnected(now);
      watch_.tell(
          {.kind = MonitorEventKind::media_driver_back, .message = fmt::format("reconnected: {}", plane_.describe())},
          now);
      break;
  }
  return work;
}

void Lookout::show(std::span<const std::byte> bytes, Nanos now) {
  Reader reader{watch_, plane_.listening_since(), 3 * where_.announce_period_ns, now};
  const auto outcome = protocol::dispatch<protocol::ShmLeaseKeepalive, protocol::QosProducer, protocol::QosConsumer,
                                          protocol::ConsumerHello, protocol::ShmPoolAnnounce, protocol::ShmLeaseRevoked,
                                          protocol::ShmDriverShutdown>(bytes, reader);
  if (outcome.malformed()) watch_.on_malformed();
}

std::optional<Lookout::Facts> Lookout::look_at_counters(Nanos now) {
  if (settings_.counters_interval_ns == 0 || now < next_counters_) return std::nullopt;
  next_counters_ = now + settings_.counters_interval_ns;
  const auto counters =
      transport::read_counters(where_.aeron_dir.empty() ? transport::default_aeron_dir() : where_.aeron_dir);
  if (!counters) return std::nullopt;  // the media driver goes; the connection will say so
  return Facts{leases_in(*counters, where_.control.stream_id, max_clients),
               clients_in(*counters, where_.control.stream_id, max_clients)};
}

}  // namespace tensorpool::detail
