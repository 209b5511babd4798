#include "apps/demo/station.hpp"

#include <algorithm>
#include <array>

namespace tensorpool::apps {
namespace {

// null, where no frame came, is 0.
Nanos nanos_of(const Json& line, const char* name) {
  const auto found = line.find(name);
  return found != line.end() && found->is_number() ? found->get<Nanos>() : 0;
}

constexpr std::array<std::string_view, 8> ordinary_fields = {"event",           "role",  "stream", "client_id", "hz",
                                                             "megabytes_per_s", "stats", "epochs"};

void take_common(const Json& line, EndFigures& end) {
  end.attached = true;
  end.final = line.value("event", "") == "summary";
  end.hz = line.value("hz", 0.0);
  end.megabytes_per_s = line.value("megabytes_per_s", 0.0);
  end.latency_p50_ns = nanos_of(line, "latency_p50_ns");
  end.latency_p99_ns = nanos_of(line, "latency_p99_ns");
  end.wrong_content = line.value("wrong_content", std::uint64_t{0});
}

bool is_ordinary(std::string_view field) {
  return std::find(ordinary_fields.begin(), ordinary_fields.end(), field) != ordinary_fields.end();
}

}  // namespace

bool take_figures(const Json& line, ConsumerEnd& end) {
  const auto stats = consumer_stats_from(line.value("stats", Json()));
  if (!stats) return false;
  take_common(line, end);
  end.stats = *stats;
  return true;
}

bool take_figures(const Json& line, ProducerEnd& end) {
  const auto stats = producer_stats_from(line.value("stats", Json()));
  if (!stats) return false;
  take_common(line, end);
  end.stats = *stats;
  end.notes = Json::object();
  for (const auto& [name, value] : line.items()) {
    if (!is_ordinary(name)) end.notes[name] = value;
  }
  return true;
}

Result<Station> Station::start(Plan plan) {
  auto child = ChildProcess::start(plan.command);
  if (!child) return child.error();
  return Station(std::move(plan), std::move(*child));
}

bool Station::ready() const noexcept {
  if (plan_.kind == Kind::service) return said_ready_;
  return (plan_.in_stream_id == 0 || in_.attached) && (plan_.out_stream_id == 0 || out_.attached);
}

bool Station::summarized() const noexcept {
  return (plan_.in_stream_id == 0 || in_.final) && (plan_.out_stream_id == 0 || out_.final);
}

bool Station::listen() {
  std::vector<std::string> lines;
  child_.read_lines(lines);
  for (const std::string& line : lines) hear(line);
  return !lines.empty();
}

void Station::hear(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("event") || !json["event"].is_string()) return;
  if (json["event"] == "ready") said_ready_ = true;
  const auto role = json.find("role");
  if (role == json.end()) return;
  if (*role == "consumer") std::ignore = take_figures(json, in_);
  if (*role == "producer") std::ignore = take_figures(json, out_);
}

}  // namespace tensorpool::apps
