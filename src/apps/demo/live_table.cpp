#include "apps/demo/live_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tensorpool::apps {
namespace {

double millis(Nanos duration) { return static_cast<double>(duration) / 1e6; }

const Station* producer_of(const std::deque<Station>& stations, std::uint32_t stream_id) {
  const auto found = std::find_if(stations.begin(), stations.end(),
                                  [=](const Station& station) { return station.plan().out_stream_id == stream_id; });
  return found == stations.end() ? nullptr : &*found;
}

std::vector<const Station*> consumers_by_stream(const std::deque<Station>& stations) {
  std::vector<const Station*> result;
  for (const Station& station : stations) {
    if (station.plan().in_stream_id != 0) result.push_back(&station);
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const Station* a, const Station* b) { return a->plan().in_stream_id < b->plan().in_stream_id; });
  return result;
}

std::string row_of(const Station& consumer, const Station* producer) {
  const ConsumerEnd& in = consumer.in();
  const std::string losses = describe_losses(in.stats);
  std::string row = fmt::format("{:>6}  {:<11} {:<14} {:>7.1f} {:>8.1f} {:>8.2f} {:>8.2f}   {:<12}",
                                consumer.plan().in_stream_id, producer == nullptr ? "" : producer->plan().command.name,
                                consumer.plan().command.name, in.hz, in.megabytes_per_s, millis(in.latency_p50_ns),
                                millis(in.latency_p99_ns), losses.empty() ? "-" : losses);
  if (producer != nullptr) row += "  " + describe_notes(producer->out().notes);
  while (!row.empty() && row.back() == ' ') row.pop_back();
  return row;
}

Json json_of(const std::deque<Station>& stations, double seconds) {
  Json streams = Json::array();
  for (const Station* consumer : consumers_by_stream(stations)) {
    const ConsumerEnd& in = consumer->in();
    const Station* producer = producer_of(stations, consumer->plan().in_stream_id);
    streams.push_back({{"stream", consumer->plan().in_stream_id},
                       {"from", producer == nullptr ? "" : producer->plan().command.name},
                       {"to", consumer->plan().command.name},
                       {"hz", in.hz},
                       {"megabytes_per_s", in.megabytes_per_s},
                       {"latency_p50_ns", in.latency_p50_ns},
                       {"latency_p99_ns", in.latency_p99_ns},
                       {"stats", to_json(in.stats)},
                       {"notes", producer == nullptr ? Json::object() : producer->out().notes}});
  }
  return {{"event", "table"}, {"seconds", seconds}, {"streams", std::move(streams)}};
}

}  // namespace

std::string describe_notes(const Json& notes) {
  std::string text;
  for (const auto& [name, value] : notes.items()) {
    if (value.is_number_unsigned() && value == 0) continue;  // counters of what did not happen
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, json_text(value));
  }
  return text;
}

std::vector<std::string> table_rows(const std::deque<Station>& stations) {
  std::vector<std::string> rows{fmt::format("{:>6}  {:<11} {:<14} {:>7} {:>8} {:>8} {:>8}   {:<12}", "stream", "from",
                                            "to", "Hz", "MB/s", "p50 ms", "p99 ms", "lost")};
  while (rows[0].back() == ' ') rows[0].pop_back();
  for (const Station* consumer : consumers_by_stream(stations)) {
    rows.push_back(row_of(*consumer, producer_of(stations, consumer->plan().in_stream_id)));
  }
  return rows;
}

void LiveTable::show(const std::deque<Station>& stations, double seconds) {
  if (style_ == TableStyle::json) return print_json(json_of(stations, seconds));
  const auto rows = table_rows(stations);
  if (style_ == TableStyle::lines) {
    for (std::size_t i = header_shown_ ? 1 : 0; i < rows.size(); ++i) {
      print_line(fmt::format("{:>5}  {}", i == 0 ? "time" : fmt::format("{:.0f} s", seconds), rows[i]));
    }
  } else {
    lines_.show(rows);
  }
  header_shown_ = true;
}

}  // namespace tensorpool::apps
