#include "client/stream_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/end_reason.hpp"

namespace tensorpool::detail {
namespace {

// What was on its way when a lease ended does not bring its holder back.
constexpr Nanos afterlife_ns = 2 * nanos_per_second;
// How many time-outs whoever is gone stays in the tables.
constexpr int remembered_timeouts = 6;
// A frame's timestamp that is further off is of another clock.
constexpr Nanos longest_latency_ns = 60 * nanos_per_second;

// What differs between the roles.
struct ProducerRole {
  static constexpr std::string_view name = "producer";
  static constexpr auto appeared = MonitorEventKind::producer_appeared;
  static constexpr auto stale = MonitorEventKind::producer_stale;
  static constexpr auto gone = MonitorEventKind::producer_gone;
};
struct ConsumerRole {
  static constexpr std::string_view name = "consumer";
  static constexpr auto appeared = MonitorEventKind::consumer_appeared;
  static constexpr auto stale = MonitorEventKind::consumer_stale;
  static constexpr auto gone = MonitorEventKind::consumer_gone;
};
ProducerRole role_of(const ProducerView&) { return {}; }
ConsumerRole role_of(const ConsumerView&) { return {}; }

std::string who(std::string_view role, std::pair<std::uint32_t, std::uint32_t> key) {
  return fmt::format("{} {} of stream {}", role, key.second, key.first);
}
double seconds(Nanos duration) { return static_cast<double>(duration) / 1e9; }

// Since a time that somebody else stated; nothing for one that lies ahead.
std::optional<Nanos> elapsed(std::uint64_t since_ns, Nanos now) {
  if (since_ns > static_cast<std::uint64_t>(now)) return std::nullopt;
  return now - static_cast<Nanos>(since_ns);
}

}  // namespace

StreamWatch::StreamWatch(const Settings& settings)
    : settings_(settings), producers_(settings.max_clients), consumers_(settings.max_clients) {}

void StreamWatch::Figure::see(std::optional<std::uint64_t> now_counted, Nanos now) noexcept {
  if (!now_counted) return;
  if (count.value_or(0) > *now_counted) rate.restart(*now_counted, now);
  count = now_counted;
  rate.see(*now_counted, now);
}

void StreamWatch::Latencies::see(Nanos latency) noexcept {
  least = std::min(least.value_or(latency), latency);
  most = std::max(most.value_or(latency), latency);
}

// --- Streams ---

void StreamWatch::on(const protocol::ShmPoolAnnounce& announce, Nanos now) {
  driver_heard(now);
  if (!wanted(announce.stream_id)) return;
  StreamEntry* const entry = stream_of(announce, now);
  if (entry == nullptr) return;
  entry->announced_at = now;
  StreamView& view = entry->view;
  view.producer_id = announce.producer_id;
  view.slots = announce.header_nslots;
  view.pool_bytes = 0;
  for (const protocol::PayloadPool& pool : announce.payload_pools) {
    view.pool_bytes += std::uint64_t{pool.pool_nslots} * pool.stride_bytes;
  }
  if (announce.producer_id == 0) return;
  const Key key{announce.stream_id, announce.producer_id};
  ProducerEntry* const producer = producers_.find_or_add(key, true);
  if (producer == nullptr) {
    ++counts_.untracked;
  } else if (producer->current_lease == 0 || producer->last_seen == 0) {
    // One without a lease announces itself. Of the others it is their driver that speaks.
    sign_of_life(producers_, key, 0, now);
  }
}

StreamWatch::StreamEntry* StreamWatch::stream_of(const protocol::ShmPoolAnnounce& announce, Nanos now) {
  auto found = streams_.find(announce.stream_id);
  if (found == streams_.end()) {
    if (streams_.size() >= settings_.max_streams) {
      ++counts_.untracked;
      return nullptr;
    }
    found = streams_.try_emplace(announce.stream_id).first;
    found->second.view.stream_id = announce.stream_id;
    found->second.view.epoch = announce.epoch;
    return &found->second;
  }
  StreamEntry& entry = found->second;
  StreamView& view = entry.view;
  if (announce.epoch < view.epoch && now - entry.announced_at <= settings_.liveness_timeout_ns) {
    ++counts_.implausible;
    return nullptr;
  }
  if (announce.epoch != view.epoch) {
    tell({.kind = MonitorEventKind::epoch_changed,
          .stream_id = view.stream_id,
          .client_id = announce.producer_id,
          .message = fmt::format(
              "stream {} goes on in epoch {}, {}", view.stream_id, announce.epoch,
              announce.producer_id == 0 ? "without a producer" : fmt::format("with producer {}", announce.producer_id)),
          .epoch = announce.epoch},
         now);
    view.epoch = announce.epoch;
    entry.descriptor_seen = false;
  }
  return &entry;
}

void StreamWatch::driver_heard(Nanos now) {
  if (driver_ == DriverState::shut_down && now - driver_heard_at_ < afterlife_ns) return;
  driver_heard_at_ = now;
  const DriverState before = std::exchange(driver_, DriverState::alive);
  if (before == DriverState::alive || before == DriverState::unknown) return;
  tell({.kind = MonitorEventKind::driver_back, .message = "streams are announced again"}, now);
}

void StreamWatch::on(const protocol::ShmDriverShutdown& shutdown, Nanos now) {
  if (std::exchange(driver_, DriverState::shut_down) == DriverState::shut_down) return;
  driver_heard_at_ = now;
  tell({.kind = MonitorEventKind::driver_shutdown,
        .message = fmt::format("the driver shut down: {}", protocol::to_string(shutdown.reason))},
       now);
}

void StreamWatch::on(const protocol::FrameDescriptor& descriptor, Nanos now) {
  if (!wanted(descriptor.stream_id)) return;
  const auto found = streams_.find(descriptor.stream_id);
  if (found == streams_.end()) {  // not announced yet, or never to be tracked
    if (streams_.size() >= settings_.max_streams) ++counts_.untracked;
    return;
  }
  StreamEntry& entry = found->second;
  if (descriptor.epoch != entry.view.epoch) {
    ++counts_.implausible;
    return;
  }
  entry.newest_seq = entry.descriptor_seen ? std::max(entry.newest_seq, descriptor.seq) : descriptor.seq;
  entry.descriptor_seen = true;
  entry.rate.see(++entry.descriptors, now);
  if (now - entry.latencies_since >= nanos_per_second) {
    entry.latencies_before = std::exchange(entry.latencies, {});
    entry.latencies_since = now;
  }
  const auto latency = elapsed(descriptor.timestamp_ns.value_or(0), now);
  if (latency && *latency <= longest_latency_ns) entry.latencies.see(*latency);
}

// --- Signs of life ---

template <class Entry>
Entry* StreamWatch::sign_of_life(Sightings<Entry>& table, Key key, std::uint64_t lease_id, Nanos now) {
  Entry* const entry = table.find_or_add(key, lease_id != 0);
  if (entry == nullptr) {
    ++counts_.untracked;
    return nullptr;
  }
  const auto role = role_of(entry->view);
  const bool ended =
      entry->ended_at != 0 && (lease_id != 0 ? lease_id == entry->ended_lease : now - entry->ended_at < afterlife_ns);
  if (ended) return entry;
  if (lease_id != 0) entry->current_lease = lease_id;
  entry->ended_at = 0;
  const bool first = entry->last_seen == 0;
  if constexpr (requires { entry->silence; }) {
    if (first) entry->silence = SilenceWatch(no_frames_timeout(key.first));
  }
  entry->last_seen = now;
  if (entry->liveness != Liveness::alive) {
    entry->liveness = Liveness::alive;
    tell({.kind = role.appeared,
          .stream_id = key.first,
          .client_id = key.second,
          .message = who(role.name, key) + (first ? " is there" : " is heard of again"),
          .epoch = entry->view.epoch},
         now);
  }
  return entry;
}

void StreamWatch::on(const protocol::QosProducer& qos, Nanos now) {
  if (!wanted(qos.stream_id) || qos.producer_id == 0) return;
  const Key key{qos.stream_id, qos.producer_id};
  ProducerEntry* const entry = sign_of_life(producers_, key, 0, now);
  if (entry == nullptr) return;
  ProducerView& view = entry->view;
  view.stream_id = qos.stream_id;
  view.producer_id = qos.producer_id;
  const bool back = qos.epoch < view.epoch || (qos.epoch == view.epoch && qos.current_seq < view.current_seq);
  if (back && now - entry->figures_at <= settings_.liveness_timeout_ns) {
    ++counts_.implausible;
    return;
  }
  const bool restarted = back || qos.epoch != view.epoch;
  if (restarted) entry->rate.restart(qos.current_seq, now);
  entry->rate.see(qos.current_seq, now);
  const bool moved = restarted ? qos.current_seq != 0 : qos.current_seq != view.current_seq;
  view.epoch = qos.epoch;
  view.current_seq = qos.current_seq;
  entry->figures_at = now;
  entry->heard = true;
  const bool counted = entry->published && now - entry->counted_at <= settings_.liveness_timeout_ns;
  if (counted) return;  // the counters know more, and are judged when they are next read
  entry->frames_came = entry->frames_came || moved;
  judge_frames(*entry, key, now);
}

// A sequence is also taken by a claim that is given up, as for each image that a camera sends incomplete, and sequence
// 0 stands for no frame too; the count of committed frames is exact. A client writes it before it sends QoS.
void StreamWatch::take_published(ProducerEntry& entry, Key key, const ClientFact& fact, Nanos now) {
  const auto before = std::exchange(entry.published, fact.published);
  if (!fact.published) return;
  entry.counted_at = now;
  if (before && *before != *fact.published) entry.frames_came = true;
  if (entry.heard) judge_frames(entry, key, now);
}

// A producer's silence is measured from one QoS to another: between two of them nothing is known.
void StreamWatch::judge_frames(ProducerEntry& entry, Key key, Nanos now) {
  entry.heard = false;
  const bool frames_came = std::exchange(entry.frames_came, false);
  if (!entry.confirmed || entry.liveness == Liveness::gone) return;
  const Nanos silence = entry.silence.silent_ns(now);
  const SilenceWatch::Change change = entry.silence.look(frames_came, now);
  entry.view.frames_missing = entry.silence.silent();
  if (change == SilenceWatch::Change::none) return;
  const bool silent = change == SilenceWatch::Change::silent;
  tell({.kind = silent ? MonitorEventKind::no_frames : MonitorEventKind::frames_resumed,
        .stream_id = key.first,
        .client_id = key.second,
        .message = silent
                       ? fmt::format("no frame of stream {} for {:.1f} s: producer {} is alive and attached, and its "
                                     "newest frame is sequence {} of epoch {}; has its camera stopped?",
                                     key.first, seconds(silence), key.second, entry.view.current_seq, entry.view.epoch)
                       : fmt::format("stream {} has frames again, after {:.1f} s: producer {} is at sequence {} of "
                                     "epoch {}",
                                     key.first, seconds(silence), key.second, entry.view.current_seq, entry.view.epoch),
        .epoch = entry.view.epoch,
        .last_seq = entry.view.current_seq,
        .silent_ns = silence},
       now);
}

void StreamWatch::forget_silence(ProducerEntry& entry) noexcept {
  entry.silence.reset();
  entry.view.frames_missing = false;
}

Nanos StreamWatch::no_frames_timeout(std::uint32_t stream_id) const noexcept {
  const auto found = std::find_if(settings_.no_frames_timeouts.begin(), settings_.no_frames_timeouts.end(),
                                  [=](const NoFramesTimeout& one) { return one.stream_id == stream_id; });
  return found != settings_.no_frames_timeouts.end() ? found->timeout_ns : settings_.no_frames_timeout_ns;
}

void StreamWatch::on(const protocol::QosConsumer& qos, Nanos now) {
  if (!wanted(qos.stream_id) || qos.consumer_id == 0) return;
  const Key key{qos.stream_id, qos.consumer_id};
  ConsumerEntry* const entry = sign_of_life(consumers_, key, 0, now);
  if (entry == nullptr) return;
  ConsumerView& view = entry->view;
  const bool back = qos.epoch < view.epoch || (qos.epoch == view.epoch && qos.last_seq_seen < view.last_seq_seen);
  if (back && now - entry->figures_at <= settings_.liveness_timeout_ns) {
    ++counts_.implausible;
    return;
  }
  const std::uint64_t drops = view.drops_gap + view.drops_late;
  const std::uint64_t drops_now = qos.drops_gap + qos.drops_late;
  const bool fresh_start = back || qos.epoch != view.epoch || view.last_seq_seen == 0;
  if (fresh_start || drops_now < drops) {  // the same id in a new life, if they went down
    if (view.epoch == 0 || drops_now < drops) entry->drops_told = drops_now;
    entry->rate.restart(entry->passed, now);
  } else {
    const std::uint64_t seqs = qos.last_seq_seen - view.last_seq_seen;
    entry->passed += seqs - std::min(seqs, drops_now - drops);
    entry->rate.see(entry->passed, now);
  }
  view.epoch = qos.epoch;
  view.last_seq_seen = qos.last_seq_seen;
  view.drops_gap = qos.drops_gap;
  view.drops_late = qos.drops_late;
  view.rate_limited = qos.mode == protocol::Mode::rate_limited;
  const auto newest = newest_seq(qos.stream_id, qos.epoch);
  view.lag_frames = newest ? std::optional(*newest - std::min(*newest, qos.last_seq_seen)) : std::nullopt;
  entry->figures_at = now;
  count_drops(*entry, key, now);
}

void StreamWatch::count_drops(ConsumerEntry& entry, Key key, Nanos now) {
  const std::uint64_t drops = entry.view.drops_gap + entry.view.drops_late;
  const bool told_lately = entry.drops_told_at != 0 && now - entry.drops_told_at < settings_.liveness_timeout_ns;
  if (drops <= entry.drops_told || told_lately) return;
  tell({.kind = MonitorEventKind::drops_rising,
        .stream_id = key.first,
        .client_id = key.second,
        .message = fmt::format(
            "{} lost {} more frames; in all {} that it never tried and {} that were overwritten or unusable",
            who(ConsumerRole::name, key), drops - entry.drops_told, entry.view.drops_gap, entry.view.drops_late),
        .epoch = entry.view.epoch},
       now);
  entry.drops_told = drops;
  entry.drops_told_at = now;
}

std::optional<std::uint64_t> StreamWatch::newest_seq(std::uint32_t stream_id, std::uint64_t epoch) {
  const auto stream = streams_.find(stream_id);
  if (stream == streams_.end() || stream->second.view.epoch != epoch) return std::nullopt;
  if (stream->second.descriptor_seen) return stream->second.newest_seq;
  const ProducerEntry* const producer = producers_.find({stream_id, stream->second.view.producer_id});
  if (producer == nullptr || producer->view.epoch != epoch) return std::nullopt;
  return producer->view.current_seq;
}

void StreamWatch::on(const protocol::ConsumerHello& hello, Nanos now) {
  if (!wanted(hello.stream_id) || hello.consumer_id == 0) return;
  ConsumerEntry* const entry = sign_of_life(consumers_, {hello.stream_id, hello.consumer_id}, 0, now);
  if (entry == nullptr) return;
  entry->view.supports_shm = hello.supports_shm;
  if (entry->figures_at == 0) entry->view.rate_limited = hello.mode == protocol::Mode::rate_limited;
}

void StreamWatch::on(const protocol::ShmLeaseKeepalive& keepalive, Nanos now) {
  if (!wanted(keepalive.stream_id) || keepalive.client_id == 0 || keepalive.lease_id == 0) return;
  const Key key{keepalive.stream_id, keepalive.client_id};
  if (keepalive.role == protocol::Role::producer) {
    sign_of_life(producers_, key, keepalive.lease_id, now);
  } else if (keepalive.role == protocol::Role::consumer) {
    sign_of_life(consumers_, key, keepalive.lease_id, now);
  }
}

void StreamWatch::on(const protocol::ShmLeaseRevoked& revoked, Nanos now) {
  const Key key{revoked.stream_id, revoked.client_id};
  if (revoked.role == protocol::Role::producer) {
    end_lease(producers_, key, revoked, now);
  } else {
    end_lease(consumers_, key, revoked, now);
  }
}

template <class Entry>
void StreamWatch::end_lease(Sightings<Entry>& table, Key key, const protocol::ShmLeaseRevoked& revoked, Nanos now) {
  Entry* const entry = table.find(key);
  if (entry == nullptr) return;
  if (entry->current_lease != 0 && entry->current_lease != revoked.lease_id) return;  // of a former life
  entry->ended_at = now;
  entry->ended_lease = revoked.lease_id;
  entry->lease.reset();
  if (std::exchange(entry->liveness, Liveness::gone) == Liveness::gone) return;
  forget_silence(*entry);
  const auto role = role_of(entry->view);
  tell({.kind = role.gone,
        .stream_id = key.first,
        .client_id = key.second,
        .message =
            fmt::format("{} is gone: its lease ended, {}", who(role.name, key), protocol::to_string(revoked.reason)),
        .epoch = entry->view.epoch,
        .reason = end_reason_of(revoked.reason)},
       now);
}

void StreamWatch::on_leases(const std::vector<LeaseFact>& leases, Nanos now) {
  for (auto& [key, entry] : producers_.all()) entry.lease.reset();
  for (auto& [key, entry] : consumers_.all()) entry.lease.reset();
  for (const LeaseFact& fact : leases) {
    if (!wanted(fact.label.stream_id)) continue;
    if (fact.label.role == protocol::Role::producer) {
      take_lease(producers_, fact, now);
    } else {
      take_lease(consumers_, fact, now);
    }
  }
}

// The counters make a client known. Its signs of life are its messages.
template <class Entry>
void StreamWatch::take_lease(Sightings<Entry>& table, const LeaseFact& fact, Nanos now) {
  const Key key{fact.label.stream_id, fact.label.client_id};
  Entry* entry = table.find(key);
  if (entry == nullptr || !entry->confirmed) entry = sign_of_life(table, key, fact.label.lease_id, now);
  if (entry != nullptr && entry->liveness != Liveness::gone) entry->lease = fact;
}

void StreamWatch::on_figures(const std::vector<ClientFact>& clients, Nanos now) {
  for (const ClientFact& fact : clients) {
    const Key key{fact.stream_id, fact.client_id};
    if (fact.role == protocol::Role::producer) {
      ProducerEntry* const entry = producers_.find(key);
      if (entry == nullptr) continue;
      take_published(*entry, key, fact, now);
      take_bytes(*entry, fact, now);
    } else if (ConsumerEntry* const entry = consumers_.find(key)) {
      entry->view.lost = fact.lost;
      entry->delivered.see(fact.delivered, now);
      take_latency(*entry, fact);
      take_bytes(*entry, fact, now);
    }
  }
}

template <class Entry>
void StreamWatch::take_bytes(Entry& entry, const ClientFact& fact, Nanos now) {
  entry.bytes.see(fact.bytes, now);
  if (fact.bytes) entry.view.bytes_per_s = entry.bytes.rate.per_second();
}

// The mean since the figures were last read. Nothing if no frame came meanwhile, or they began anew.
void StreamWatch::take_latency(ConsumerEntry& entry, const ClientFact& fact) {
  if (!fact.latency_samples || !fact.latency_sum_ns) return;
  const std::uint64_t samples = std::exchange(entry.latency_samples, *fact.latency_samples);
  const std::uint64_t sum = std::exchange(entry.latency_sum_ns, *fact.latency_sum_ns);
  entry.view.latency_mean_ns.reset();
  if (*fact.latency_samples <= samples || *fact.latency_sum_ns < sum) return;
  entry.view.latency_mean_ns = static_cast<Nanos>((*fact.latency_sum_ns - sum) / (*fact.latency_samples - samples));
}

// --- Judgement ---

void StreamWatch::on_reconnected(Nanos now) {
  ++counts_.reconnects;
  for (auto& [key, entry] : producers_.all()) {
    entry.last_seen = now;
    entry.silence.restart(now);
  }
  for (auto& [key, entry] : consumers_.all()) entry.last_seen = now;
  for (auto& [id, stream] : streams_) stream.announced_at = now;
  driver_heard_at_ = now;
}

int StreamWatch::check(Nanos now) {
  if (checked_at_ && now - *checked_at_ < settings_.check_interval_ns) return 0;
  checked_at_ = now;
  judge(producers_, now);
  judge(consumers_, now);
  const Nanos remembered = remembered_timeouts * settings_.liveness_timeout_ns;
  std::erase_if(streams_, [&](const auto& one) { return now - one.second.announced_at > remembered; });
  if (driver_ == DriverState::alive && now - driver_heard_at_ > settings_.liveness_timeout_ns) {
    driver_ = DriverState::silent;
    const Nanos silence = now - driver_heard_at_;
    tell({.kind = MonitorEventKind::driver_silent,
          .message = fmt::format("no stream was announced for {:.1f} s: is the driver running?", seconds(silence)),
          .silent_ns = silence},
         now);
  }
  return 1;
}

template <class Entry>
void StreamWatch::judge(Sightings<Entry>& table, Nanos now) {
  const Nanos timeout = settings_.liveness_timeout_ns;
  for (auto& [key, entry] : table.all()) {
    const Nanos silence = now - entry.last_seen;
    const Liveness judged = silence > timeout       ? Liveness::gone
                            : silence > timeout / 2 ? Liveness::stale
                                                    : Liveness::alive;
    if (judged <= entry.liveness) continue;  // only signs of life bring anybody back
    entry.liveness = judged;
    const auto role = role_of(entry.view);
    tell({.kind = judged == Liveness::gone ? role.gone : role.stale,
          .stream_id = key.first,
          .client_id = key.second,
          .message = fmt::format("{} is {}: nothing heard for {:.1f} s", who(role.name, key), to_string(judged),
                                 seconds(silence)),
          .epoch = entry.view.epoch,
          .silent_ns = silence},
         now);
    if (judged != Liveness::gone) continue;
    entry.ended_lease = 0;
    forget_silence(entry);
  }
  table.erase_if([&](const Entry& entry) {
    return entry.liveness == Liveness::gone &&
           now - std::max(entry.last_seen, entry.ended_at) > remembered_timeouts * timeout;
  });
}

// --- What is told ---

void StreamWatch::tell(MonitorEvent event, Nanos now) {
  if (now - events_since_ >= nanos_per_second) {
    events_since_ = now;
    events_told_ = 0;
  }
  if (events_told_ >= settings_.events_per_second) {
    ++counts_.events_suppressed;
    return;
  }
  ++events_told_;
  events_.push_back(std::move(event));
}

std::vector<MonitorEvent> StreamWatch::take_events() { return std::exchange(events_, {}); }

}  // namespace tensorpool::detail
