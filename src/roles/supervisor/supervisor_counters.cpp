#include "roles/supervisor/supervisor_counters.hpp"

#include <fmt/format.h>

#include <array>
#include <span>
#include <string>

namespace tensorpool::supervisor {
namespace {

constexpr std::array own_names{"alerts",    "configs sent", "configs unsent", "configs ignored",   "strangers",
                               "malformed", "implausible",  "untracked",      "events suppressed", "reconnects",
                               "no frames"};

constexpr std::array stream_names{"producers alive",     "producers not alive", "consumers alive",
                                  "consumers not alive", "frames dropped",      "producers without frames"};

struct OfStream {
  std::uint64_t producers_alive = 0;
  std::uint64_t producers_not_alive = 0;
  std::uint64_t consumers_alive = 0;
  std::uint64_t consumers_not_alive = 0;
  std::uint64_t dropped = 0;
  std::uint64_t without_frames = 0;

  [[nodiscard]] std::array<std::uint64_t, stream_names.size()> values() const {
    return {producers_alive, producers_not_alive, consumers_alive, consumers_not_alive, dropped, without_frames};
  }
};

std::map<std::uint32_t, OfStream> tally(const detail::StreamWatch& watch) {
  std::map<std::uint32_t, OfStream> streams;
  const auto of = [&](std::uint32_t stream_id) -> OfStream* {
    if (streams.size() >= max_counted_streams && !streams.contains(stream_id)) return nullptr;
    return &streams[stream_id];
  };
  watch.each_producer([&](std::uint32_t stream_id, const ProducerView& view, Liveness liveness) {
    OfStream* const stream = of(stream_id);
    if (stream == nullptr) return;
    ++(liveness == Liveness::alive ? stream->producers_alive : stream->producers_not_alive);
    if (view.frames_missing) ++stream->without_frames;
  });
  watch.each_consumer([&](std::uint32_t stream_id, const ConsumerView& view, Liveness liveness) {
    OfStream* const stream = of(stream_id);
    if (stream == nullptr) return;
    ++(liveness == Liveness::alive ? stream->consumers_alive : stream->consumers_not_alive);
    stream->dropped += view.drops_gap + view.drops_late;
  });
  return streams;
}

template <class Names>
std::vector<std::string> labels(const Names& names, const std::string& whose) {
  std::vector<std::string> made;
  for (const char* name : names) made.push_back(fmt::format("{}: {}", whose, name));
  return made;
}

void write(const std::vector<std::shared_ptr<transport::Counter>>& counters, std::span<const std::uint64_t> values) {
  for (std::size_t i = 0; i < counters.size() && i < values.size(); ++i) {
    counters[i]->set(static_cast<std::int64_t>(values[i]));
  }
}

}  // namespace

void SupervisorCounters::show(detail::ControlPlane& plane, std::int32_t control_stream_id,
                              const detail::StreamWatch& watch, const SupervisorStats& stats) {
  const std::string whose = transport::counter_label_prefix(control_stream_id) + "supervisor";
  if (generation_ != plane.generation()) {
    generation_ = plane.generation();
    streams_.clear();
    own_ = plane.want_counters(first_supervisor_counter_type, labels(own_names, whose));
  }
  const MonitorCounts& counts = watch.counts();
  write(own_, std::array<std::uint64_t, own_names.size()>{
                  stats.alerts, stats.configs_sent, stats.configs_unsent, stats.configs_ignored, stats.strangers,
                  counts.malformed, counts.implausible, counts.untracked + stats.untracked, counts.events_suppressed,
                  counts.reconnects, stats.no_frames});
  const auto streams = tally(watch);
  std::erase_if(streams_, [&](const auto& one) { return !streams.contains(one.first); });
  for (const auto& [id, figures] : streams) {
    auto known = streams_.find(id);
    if (known == streams_.end()) {
      known = streams_
                  .emplace(id, plane.want_counters(first_supervised_stream_counter_type,
                                                   labels(stream_names, fmt::format("{} stream {}", whose, id))))
                  .first;
    }
    write(known->second, figures.values());
  }
}

}  // namespace tensorpool::supervisor
