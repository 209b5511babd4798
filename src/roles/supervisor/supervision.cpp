#include "roles/supervisor/supervision.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "protocol/dispatch.hpp"

namespace tensorpool::supervisor {
namespace {

constexpr Nanos longest_ns = 3600 * nanos_per_second;
constexpr std::size_t most_policies = 1024;
constexpr std::size_t longest_uri = 4095;
constexpr int configs_per_cycle = 16;
constexpr Nanos desk_interval_ns = 50 * nanos_per_milli;

Status check_time(const char* name, Nanos value, Nanos most) {
  if (value >= nanos_per_milli && value <= most) return {};
  return make_error(ErrorCode::invalid_argument,
                    "SupervisorOptions::{} is {} ns; it must be at least {} and at most {}", name, value,
                    nanos_per_milli, most);
}

Status check_policies(const std::vector<SupervisorPolicy>& policies) {
  if (policies.size() > most_policies) {
    return make_error(ErrorCode::invalid_argument, "there are {} supervisor policies; at most {} are allowed",
                      policies.size(), most_policies);
  }
  for (const SupervisorPolicy& policy : policies) {
    const std::string& uri = policy.payload_fallback_uri;
    const bool printable = std::all_of(uri.begin(), uri.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (printable && uri.size() <= longest_uri) continue;
    return make_error(
        ErrorCode::invalid_argument,
        "the payload_fallback_uri of the policy for stream {} consumer {} is no URI: at most {} printable "
        "characters, no blanks",
        policy.stream_id, policy.consumer_id, longest_uri);
  }
  return {};
}

Status check(const SupervisorOptions& options) {
  if (auto good = check_time("liveness_timeout_ns", options.liveness_timeout_ns, longest_ns); !good) return good;
  if (auto good =
          check_time("liveness_check_interval_ns", options.liveness_check_interval_ns, options.liveness_timeout_ns);
      !good) {
    return good;
  }
  if (auto good =
          detail::check_no_frames("SupervisorOptions", options.no_frames_timeout_ns, options.no_frames_timeouts);
      !good) {
    return good;
  }
  if (auto good = check_time("config_interval_ns", options.config_interval_ns, longest_ns); !good) return good;
  if (auto good = check_policies(options.policies); !good) return good;
  return detail::check_lookout(options.where);
}

detail::Lookout::Settings lookout_settings(const SupervisorOptions& options) {
  detail::Lookout::Settings settings;
  settings.watch.stream_id = options.stream_id;
  settings.watch.liveness_timeout_ns = options.liveness_timeout_ns;
  settings.watch.check_interval_ns = options.liveness_check_interval_ns;
  settings.watch.no_frames_timeout_ns = options.no_frames_timeout_ns;
  settings.watch.no_frames_timeouts = options.no_frames_timeouts;
  settings.counters_interval_ns = options.liveness_check_interval_ns;
  settings.ends = detail::ControlPlane::Ends::both;
  return settings;
}

PolicyDesk::Settings desk_settings(const SupervisorOptions& options) {
  PolicyDesk::Settings settings;
  settings.policies = options.policies;
  settings.stream_id = options.stream_id;
  settings.config_interval_ns = options.config_interval_ns;
  settings.forget_after_ns = std::max(2 * options.liveness_timeout_ns, 30 * nanos_per_second);
  return settings;
}

struct Reader {
  PolicyDesk& desk;
  Nanos now;
  template <class Message>
  void on(const Message& message) {
    desk.on(message, now);
  }
};

}  // namespace

Result<std::unique_ptr<Supervision>> Supervision::create(SupervisorOptions options) {
  if (auto good = check(options); !good) return good.error();
  std::unique_ptr<Supervision> made(new Supervision(std::move(options)));
  made->now_ = made->options_.where.wait ? made->options_.where.wait() : monotonic_now();
  if (auto opened = made->lookout_.open(made->now_); !opened) return opened.error();
  return made;
}

Supervision::Supervision(SupervisorOptions options)
    : options_(std::move(options)),
      lookout_(options_.where, lookout_settings(options_)),
      desk_(desk_settings(options_)) {}

int Supervision::do_work(Nanos now) noexcept {
  now_ = now;
  int work = read_counters(now);
  Reader reader{desk_, now};
  work += lookout_.do_work(now, [&](std::span<const std::byte> bytes) {
    static_cast<void>(protocol::dispatch<protocol::ConsumerHello, protocol::QosConsumer, protocol::ShmLeaseKeepalive,
                                         protocol::ShmLeaseRevoked, protocol::ConsumerConfig>(bytes, reader));
  });
  work += tell_consumers(now);
  work += tell_events();
  if (now >= next_check_) {
    next_check_ = now + options_.liveness_check_interval_ns;
    desk_.check(now);
    counters_.show(lookout_.plane(), options_.where.control.stream_id, lookout_.watch(), stats());
  }
  return work;
}

int Supervision::read_counters(Nanos now) {
  const auto facts = lookout_.look_at_counters(now);
  if (!facts) return 0;
  lookout_.watch().on_leases(facts->leases, now);
  lookout_.watch().on_figures(facts->clients, now);
  return 1;
}

int Supervision::tell_consumers(Nanos now) {
  if (now < next_desk_ || !lookout_.connected()) return 0;
  next_desk_ = now + desk_interval_ns;
  const auto send = [&](const protocol::ConsumerConfig& config) {
    if (!lookout_.plane().send(config)) return false;
    lookout_.watch().tell({.kind = MonitorEventKind::config_sent,
                           .stream_id = config.stream_id,
                           .client_id = config.consumer_id,
                           .message = fmt::format(
                               "consumer {} of stream {} is told: mode {}, {}{}", config.consumer_id, config.stream_id,
                               protocol::to_string(config.mode), config.use_shm ? "shared memory" : "no shared memory",
                               config.payload_fallback_uri.empty() ? "" : ", fallback " + config.payload_fallback_uri)},
                          now);
    return true;
  };
  const auto ignored = [&](std::uint32_t stream_id, std::uint32_t consumer_id) {
    lookout_.watch().tell({.kind = MonitorEventKind::config_ignored,
                           .stream_id = stream_id,
                           .client_id = consumer_id,
                           .message = fmt::format(
                               "consumer {} of stream {} was told its mode several times and keeps another; is it able "
                               "to follow a ConsumerConfig, and is there a second supervisor?",
                               consumer_id, stream_id)},
                          now);
  };
  return desk_.work(now, configs_per_cycle, send, ignored);
}

int Supervision::tell_events() {
  const auto events = lookout_.watch().take_events();
  for (const MonitorEvent& event : events) {
    if (is_alert(event)) ++alerts_;
    if (event.kind == MonitorEventKind::no_frames) ++no_frames_;
    if (options_.on_event) options_.on_event(event);
  }
  return static_cast<int>(events.size());
}

MonitorSnapshot Supervision::snapshot() const {
  MonitorSnapshot taken = lookout_.watch().snapshot(now_);
  taken.connected = lookout_.connected();
  return taken;
}

SupervisorStats Supervision::stats() const noexcept {
  SupervisorStats stats = desk_.stats();
  stats.alerts = alerts_;
  stats.no_frames = no_frames_;
  return stats;
}

}  // namespace tensorpool::supervisor
