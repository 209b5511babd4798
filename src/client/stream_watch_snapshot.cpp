// What a StreamWatch shows of its tables.
#include <algorithm>

#include "client/stream_watch.hpp"

namespace tensorpool::detail {
namespace {

// 0 for a time that lies ahead: somebody else stated it.
Nanos since(std::uint64_t time_ns, Nanos now) {
  return now - static_cast<Nanos>(std::min(time_ns, static_cast<std::uint64_t>(now)));
}

LeaseView view_of(const LeaseFact& fact, Nanos now) {
  return {fact.label.lease_id, fact.keepalives, since(fact.label.granted_timestamp_ns, now),
          std::max<Nanos>(fact.expires_at, 0) - now};
}

// The part of a client's snapshot that its last sign of life decides.
template <class View, class Entry>
View finish(const Entry& entry, Nanos now) {
  View view = entry.view;
  view.liveness = entry.liveness;
  view.confirmed = entry.confirmed;
  view.silent_ns = now - entry.last_seen;
  const bool alive = entry.liveness == Liveness::alive;
  view.frames_per_s = alive ? entry.rate.per_second() : 0;
  if (view.bytes_per_s && !alive) view.bytes_per_s = 0;
  if (entry.lease) view.lease = view_of(*entry.lease, now);
  return view;
}

}  // namespace

std::optional<double> StreamWatch::bytes_per_s(Key producer) const {
  const auto found = producers_.all().find(producer);
  if (found == producers_.all().end()) return std::nullopt;
  return found->second.liveness == Liveness::alive ? found->second.view.bytes_per_s : 0;
}

MonitorSnapshot StreamWatch::snapshot(Nanos now) const {
  MonitorSnapshot taken;
  taken.taken_at_ns = now;
  taken.driver = driver_;
  taken.counts = counts_;
  for (const auto& [id, entry] : streams_) {
    StreamView view = entry.view;
    view.announced_ago_ns = now - entry.announced_at;
    view.bytes_per_s = bytes_per_s({id, view.producer_id});
    if (entry.descriptor_seen) {
      const bool flowing = now - entry.latencies_since < 2 * nanos_per_second;
      const Latencies& full = entry.latencies_before.least ? entry.latencies_before : entry.latencies;
      view.frames_per_s = flowing ? entry.rate.per_second() : 0;
      view.latency_least_ns = flowing ? full.least : std::nullopt;
      view.latency_most_ns = flowing ? full.most : std::nullopt;
    }
    taken.streams.push_back(view);
  }
  for (const auto& [key, entry] : producers_.all()) {
    auto view = finish<ProducerView>(entry, now);
    view.stream_id = key.first;
    view.producer_id = key.second;
    view.no_frames_ns = entry.silence.silent_ns(now);
    taken.producers.push_back(view);
  }
  for (const auto& [key, entry] : consumers_.all()) {
    auto view = finish<ConsumerView>(entry, now);
    if (entry.delivered.count && entry.liveness == Liveness::alive)
      view.frames_per_s = entry.delivered.rate.per_second();
    view.stream_id = key.first;
    view.consumer_id = key.second;
    taken.consumers.push_back(view);
  }
  return taken;
}

}  // namespace tensorpool::detail
