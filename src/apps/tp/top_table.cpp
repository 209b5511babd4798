#include "apps/tp/top_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <set>

#include "base/log.hpp"

namespace tensorpool::apps::tp {
namespace {

// The cells of a row, in the order of their importance: what does not fit is dropped from the end.
enum Column : std::size_t {
  stream,
  what,
  hz,
  lost,
  state,
  name,
  megabytes,
  lag,
  latency,
  client,
  epoch,
  lease,
  causes
};
constexpr std::size_t columns = causes + 1;
constexpr std::array<const char*, columns> titles{"stream", "what",  "Hz",           "lost",       "state",
                                                  "name",   "MB/s",  "lag",          "latency ms", "client",
                                                  "epoch",  "lease", "lost by cause"};
constexpr std::array<bool, columns> to_the_left{false, true,  false, false, true,  true, false,
                                                false, false, false, false, false, true};

using Cells = std::array<std::string, columns>;

struct Row {
  Cells cells{};
  LineStyle style = LineStyle::plain;
};

constexpr std::string_view between = "  ";

// How wide each column is, and how many of them fit; all of them for a width of 0.
struct Plan {
  std::array<std::size_t, columns> widths{};
  std::size_t shown = 0;
};

Plan plan_for(const std::vector<Row>& rows, std::size_t width) {
  Plan plan;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < columns; ++i) plan.widths[i] = std::max(plan.widths[i], row.cells[i].size());
  }
  for (std::size_t used = 0; plan.shown < columns; ++plan.shown) {
    used += plan.widths[plan.shown] + (plan.shown == 0 ? 0 : between.size());
    if (width != 0 && used > width && plan.shown != 0) break;
  }
  return plan;
}

std::string line_of(const Cells& cells, const Plan& plan) {
  std::string line;
  for (std::size_t i = 0; i < plan.shown; ++i) {
    if (i != 0) line += between;
    line += to_the_left[i] ? fmt::format("{:<{}}", cells[i], plan.widths[i])
                           : fmt::format("{:>{}}", cells[i], plan.widths[i]);
  }
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

std::uint64_t lost_by(const ConsumerView& view) {
  if (!view.lost) return view.drops_gap + view.drops_late;
  return std::accumulate(view.lost->begin(), view.lost->end(), std::uint64_t{0});
}

std::string causes_of(const ConsumerView& view) {
  if (view.lost) {
    ConsumerStats stats;
    stats.lost = *view.lost;
    return describe_losses(stats);
  }
  if (view.drops_gap + view.drops_late == 0) return "";
  return fmt::format("gap {}, late {}", view.drops_gap, view.drops_late);
}

// The end of it tells epochs of a stream apart; --format json has all digits.
std::string epoch_of(std::uint64_t epoch) {
  constexpr std::size_t digits = 6;
  const std::string all = std::to_string(epoch);
  if (epoch == 0) return none;
  return all.size() <= digits ? all : ".." + all.substr(all.size() - digits);
}

LineStyle style_of(Liveness liveness) {
  if (liveness == Liveness::gone) return LineStyle::error;
  return liveness == Liveness::stale ? LineStyle::warning : LineStyle::plain;
}

// A name that another process chose.
std::string name_in(const ClientNames& names, std::uint32_t stream_id, std::uint32_t client_id) {
  constexpr std::size_t most = 16;
  const auto found = names.find({stream_id, client_id});
  if (found == names.end() || found->second.empty()) return none;
  const std::string safe = escape(found->second, 4 * most);
  return safe.size() <= most ? safe : safe.substr(0, most - 2) + "..";
}

Row row_of(const StreamView& view, const ClientNames&) {
  Row row;
  row.cells = {std::to_string(view.stream_id),
               "stream",
               number(view.frames_per_s),
               none,
               view.producer_id == 0 ? "idle" : "",
               none,
               number(view.bytes_per_s, 1e6),
               none,
               view.latency_least_ns
                   ? milliseconds(*view.latency_least_ns) + "-" + milliseconds(view.latency_most_ns.value_or(0))
                   : none,
               none,
               epoch_of(view.epoch),
               none,
               ""};
  return row;
}

Row row_of(const ProducerView& view, const ClientNames& names) {
  Row row;
  row.cells = {std::to_string(view.stream_id),
               "producer",
               fmt::format("{:.1f}", view.frames_per_s),
               none,
               state_of(view.liveness, view.confirmed),
               name_in(names, view.stream_id, view.producer_id),
               number(view.bytes_per_s, 1e6),
               none,
               none,
               std::to_string(view.producer_id),
               epoch_of(view.epoch),
               lease_of(view.lease),
               ""};
  row.style = view.frames_missing ? LineStyle::warning : style_of(view.liveness);
  return row;
}

Row row_of(const ConsumerView& view, const ClientNames& names) {
  Row row;
  row.cells = {std::to_string(view.stream_id),
               view.rate_limited ? "limited" : "consumer",
               fmt::format("{:.1f}", view.frames_per_s),
               std::to_string(lost_by(view)),
               state_of(view.liveness, view.confirmed),
               name_in(names, view.stream_id, view.consumer_id),
               number(view.bytes_per_s, 1e6),
               view.lag_frames ? std::to_string(*view.lag_frames) : none,
               view.latency_mean_ns ? milliseconds(*view.latency_mean_ns) : none,
               std::to_string(view.consumer_id),
               epoch_of(view.epoch),
               lease_of(view.lease),
               causes_of(view)};
  row.style = style_of(view.liveness);
  return row;
}

template <class View>
void add_rows(std::vector<Row>& rows, const std::vector<View>& views, std::uint32_t stream_id,
              const ClientNames& names) {
  for (const View& view : views) {
    if (view.stream_id == stream_id) rows.push_back(row_of(view, names));
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

Json name_json(const ClientNames& names, std::uint32_t stream_id, std::uint32_t client_id) {
  const auto found = names.find({stream_id, client_id});
  return found == names.end() ? Json() : Json(escape(found->second));
}

Json one_json(const StreamView& view, const ClientNames&) {
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

Json one_json(const ProducerView& view, const ClientNames& names) {
  return {{"stream_id", view.stream_id},
          {"producer_id", view.producer_id},
          {"epoch", std::to_string(view.epoch)},
          {"current_seq", view.current_seq},
          {"frames_per_s", view.frames_per_s},
          {"bytes_per_s", or_null(view.bytes_per_s)},
          {"liveness", to_string(view.liveness)},
          {"silent_ns", view.silent_ns},
          {"confirmed", view.confirmed},
          {"lease", lease_json(view.lease)},
          {"name", name_json(names, view.stream_id, view.producer_id)}};
}

Json one_json(const ConsumerView& view, const ClientNames& names) {
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
          {"lease", lease_json(view.lease)},
          {"name", name_json(names, view.stream_id, view.consumer_id)}};
}

template <class View>
Json list_json(const std::vector<View>& views, const ClientNames& names) {
  Json list = Json::array();
  for (const View& view : views) list.push_back(one_json(view, names));
  return list;
}

}  // namespace

std::vector<StyledLine> top_lines(const MonitorSnapshot& snapshot, const ClientNames& names, std::size_t width) {
  Row heading;
  std::copy(titles.begin(), titles.end(), heading.cells.begin());
  heading.style = LineStyle::heading;
  std::vector<Row> rows{heading};
  std::set<std::uint32_t> streams;
  for (const auto& view : snapshot.streams) streams.insert(view.stream_id);
  for (const auto& view : snapshot.producers) streams.insert(view.stream_id);
  for (const auto& view : snapshot.consumers) streams.insert(view.stream_id);
  for (const std::uint32_t stream_id : streams) {
    add_rows(rows, snapshot.streams, stream_id, names);
    add_rows(rows, snapshot.producers, stream_id, names);
    add_rows(rows, snapshot.consumers, stream_id, names);
  }
  const Plan plan = plan_for(rows, width);
  const bool well = snapshot.connected && snapshot.driver == DriverState::alive;
  std::vector<StyledLine> lines{
      {std::string(cut_to(summary(snapshot), width)), well ? LineStyle::plain : LineStyle::warning}};
  for (const Row& row : rows) lines.push_back({std::string(cut_to(line_of(row.cells, plan), width)), row.style});
  return lines;
}

Json to_json(const MonitorSnapshot& snapshot, const ClientNames& names) {
  const MonitorCounts& counts = snapshot.counts;
  return {{"taken_at_ns", snapshot.taken_at_ns},
          {"connected", snapshot.connected},
          {"driver", to_string(snapshot.driver)},
          {"streams", list_json(snapshot.streams, names)},
          {"producers", list_json(snapshot.producers, names)},
          {"consumers", list_json(snapshot.consumers, names)},
          {"counts",
           {{"malformed", counts.malformed},
            {"implausible", counts.implausible},
            {"untracked", counts.untracked},
            {"events_suppressed", counts.events_suppressed},
            {"reconnects", counts.reconnects}}}};
}

}  // namespace tensorpool::apps::tp
