#include "apps/tp/top_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace tensorpool::apps::tp {
namespace {

struct Row {
  std::string stream{}, what{}, client{}, state{}, hz{}, megabytes{}, lag{}, latency{}, epoch{}, lease{}, dropped{};
};

std::string line_of(const Row& row) {
  std::string line = fmt::format("{:>10}  {:<8} {:>10}  {:<5} {:>8} {:>8} {:>7} {:>11}  {:>19} {:>8}  {}", row.stream,
                                 row.what, row.client, row.state, row.hz, row.megabytes, row.lag, row.latency,
                                 row.epoch, row.lease, row.dropped);
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

constexpr const char* none = "-";

template <class T>
std::string number(const std::optional<T>& value, double unit = 1) {
  return value ? fmt::format("{:.1f}", static_cast<double>(*value) / unit) : none;
}

std::string milliseconds(Nanos duration) { return fmt::format("{:.2f}", static_cast<double>(duration) / 1e6); }

std::string state_of(Liveness liveness, bool confirmed) {
  return std::string(to_string(liveness)) + (confirmed ? "" : "?");
}

std::string lease_of(const std::optional<LeaseView>& lease) {
  return lease ? fmt::format("{} s", lease->age_ns / nanos_per_second) : none;
}

std::string losses_of(const ConsumerView& view) {
  if (view.lost) {
    ConsumerStats stats;
    stats.lost = *view.lost;
    return describe_losses(stats);
  }
  if (view.drops_gap + view.drops_late == 0) return "";
  return fmt::format("gap {}, late {}", view.drops_gap, view.drops_late);
}

std::string epoch_of(std::uint64_t epoch) { return epoch == 0 ? none : std::to_string(epoch); }

Row row_of(const StreamView& view) {
  Row row{.stream = std::to_string(view.stream_id), .what = "stream", .client = none};
  row.state = view.producer_id == 0 ? "idle" : "";
  row.hz = number(view.frames_per_s);
  row.megabytes = number(view.bytes_per_s, 1e6);
  row.lag = none;
  row.latency = view.latency_least_ns
                    ? milliseconds(*view.latency_least_ns) + "-" + milliseconds(view.latency_most_ns.value_or(0))
                    : none;
  row.epoch = epoch_of(view.epoch);
  row.lease = none;
  return row;
}

Row row_of(const ProducerView& view) {
  return {.stream = std::to_string(view.stream_id),
          .what = "producer",
          .client = std::to_string(view.producer_id),
          .state = state_of(view.liveness, view.confirmed),
          .hz = fmt::format("{:.1f}", view.frames_per_s),
          .megabytes = number(view.bytes_per_s, 1e6),
          .lag = none,
          .latency = none,
          .epoch = epoch_of(view.epoch),
          .lease = lease_of(view.lease),
          .dropped = ""};
}

Row row_of(const ConsumerView& view) {
  return {.stream = std::to_string(view.stream_id),
          .what = view.rate_limited ? "limited" : "consumer",
          .client = std::to_string(view.consumer_id),
          .state = state_of(view.liveness, view.confirmed),
          .hz = fmt::format("{:.1f}", view.frames_per_s),
          .megabytes = number(view.bytes_per_s, 1e6),
          .lag = view.lag_frames ? std::to_string(*view.lag_frames) : none,
          .latency = view.latency_mean_ns ? milliseconds(*view.latency_mean_ns) : none,
          .epoch = epoch_of(view.epoch),
          .lease = lease_of(view.lease),
          .dropped = losses_of(view)};
}

template <class View>
void add_rows(std::vector<std::string>& rows, const std::vector<View>& views, std::uint32_t stream_id) {
  for (const View& view : views) {
    if (view.stream_id == stream_id) rows.push_back(line_of(row_of(view)));
  }
}

std::string summary(const MonitorSnapshot& snapshot) {
  std::string text = fmt::format("driver {}{}; {} streams, {} producers, {} consumers", to_string(snapshot.driver),
                                 snapshot.connected ? "" : ", media driver gone", snapshot.streams.size(),
                                 snapshot.producers.size(), snapshot.consumers.size());
  const MonitorCounts& counts = snapshot.counts;
  if (counts.malformed != 0) text += fmt::format("; {} malformed messages", counts.malformed);
  if (counts.untracked != 0) text += fmt::format("; {} messages of more streams or clients than fit", counts.untracked);
  return text;
}

// --- JSON ---

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json lease_json(const std::optional<LeaseView>& lease) {
  if (!lease) return nullptr;
  return {{"lease_id", std::to_string(lease->lease_id)},
          {"keepalives", lease->keepalives},
          {"age_ns", lease->age_ns},
          {"expires_in_ns", lease->expires_in_ns}};
}

Json lost_json(const ConsumerView& view) {
  if (!view.lost) return nullptr;
  Json json = Json::object();
  for (std::size_t cause = 0; cause < loss_causes; ++cause) {
    json[std::string(to_string(static_cast<LossCause>(cause)))] = (*view.lost)[cause];
  }
  return json;
}

Json one_json(const StreamView& view) {
  return {{"stream_id", view.stream_id},
          {"epoch", std::to_string(view.epoch)},
          {"producer_id", view.producer_id},
          {"slots", view.slots},
          {"pool_bytes", view.pool_bytes},
          {"announced_ago_ns", view.announced_ago_ns},
          {"frames_per_s", or_null(view.frames_per_s)},
          {"bytes_per_s", or_null(view.bytes_per_s)},
          {"latency_least_ns", or_null(view.latency_least_ns)},
          {"latency_most_ns", or_null(view.latency_most_ns)}};
}

Json one_json(const ProducerView& view) {
  return {{"stream_id", view.stream_id},          {"producer_id", view.producer_id},
          {"epoch", std::to_string(view.epoch)},  {"current_seq", view.current_seq},
          {"frames_per_s", view.frames_per_s},    {"bytes_per_s", or_null(view.bytes_per_s)},
          {"liveness", to_string(view.liveness)}, {"silent_ns", view.silent_ns},
          {"confirmed", view.confirmed},          {"lease", lease_json(view.lease)}};
}

Json one_json(const ConsumerView& view) {
  return {{"stream_id", view.stream_id},
          {"consumer_id", view.consumer_id},
          {"epoch", std::to_string(view.epoch)},
          {"last_seq_seen", view.last_seq_seen},
          {"frames_per_s", view.frames_per_s},
          {"bytes_per_s", or_null(view.bytes_per_s)},
          {"lag_frames", or_null(view.lag_frames)},
          {"latency_mean_ns", or_null(view.latency_mean_ns)},
          {"drops_gap", view.drops_gap},
          {"drops_late", view.drops_late},
          {"lost", lost_json(view)},
          {"mode", view.rate_limited ? "RATE_LIMITED" : "STREAM"},
          {"supports_shm", view.supports_shm},
          {"liveness", to_string(view.liveness)},
          {"silent_ns", view.silent_ns},
          {"confirmed", view.confirmed},
          {"lease", lease_json(view.lease)}};
}

template <class View>
Json list_json(const std::vector<View>& views) {
  Json list = Json::array();
  for (const View& view : views) list.push_back(one_json(view));
  return list;
}

}  // namespace

std::vector<std::string> top_rows(const MonitorSnapshot& snapshot) {
  std::vector<std::string> rows{summary(snapshot)};
  rows.push_back(
      line_of({"stream", "", "client", "state", "Hz", "MB/s", "lag", "latency ms", "epoch", "lease", "dropped"}));
  std::set<std::uint32_t> streams;
  for (const auto& view : snapshot.streams) streams.insert(view.stream_id);
  for (const auto& view : snapshot.producers) streams.insert(view.stream_id);
  for (const auto& view : snapshot.consumers) streams.insert(view.stream_id);
  for (const std::uint32_t stream_id : streams) {
    add_rows(rows, snapshot.streams, stream_id);
    add_rows(rows, snapshot.producers, stream_id);
    add_rows(rows, snapshot.consumers, stream_id);
  }
  return rows;
}

Json to_json(const MonitorSnapshot& snapshot) {
  const MonitorCounts& counts = snapshot.counts;
  return {{"taken_at_ns", snapshot.taken_at_ns},
          {"connected", snapshot.connected},
          {"driver", to_string(snapshot.driver)},
          {"streams", list_json(snapshot.streams)},
          {"producers", list_json(snapshot.producers)},
          {"consumers", list_json(snapshot.consumers)},
          {"counts",
           {{"malformed", counts.malformed},
            {"implausible", counts.implausible},
            {"untracked", counts.untracked},
            {"events_suppressed", counts.events_suppressed},
            {"reconnects", counts.reconnects}}}};
}

}  // namespace tensorpool::apps::tp
