#include "apps/flow/stats_json.hpp"

#include <fmt/format.h>

#include <charconv>

#include "apps/support/print.hpp"

namespace tensorpool::apps {
namespace {

// One table per struct serves both directions, so that a field can be neither forgotten nor spelt in two ways.
template <class Stats>
struct Field {
  std::string_view name;
  std::uint64_t Stats::*member;
};

constexpr Field<ProducerStats> producer_fields[] = {
    {"published", &ProducerStats::published},
    {"payload_bytes", &ProducerStats::payload_bytes},
    {"abandoned", &ProducerStats::abandoned},
    {"descriptors_dropped", &ProducerStats::descriptors_dropped},
    {"descriptor_stalls", &ProducerStats::descriptor_stalls},
    {"own_streams_full", &ProducerStats::own_streams_full},
    {"admin_retries", &ProducerStats::admin_retries},
    {"too_large", &ProducerStats::too_large},
    {"invalid_layout", &ProducerStats::invalid_layout},
    {"claims_refused", &ProducerStats::claims_refused},
    {"not_attached", &ProducerStats::not_attached},
    {"regions_lost", &ProducerStats::regions_lost},
    {"progress_sent", &ProducerStats::progress_sent},
    {"progress_dropped", &ProducerStats::progress_dropped},
    {"progress_refused", &ProducerStats::progress_refused},
    {"first_seq", &ProducerStats::first_seq},
    {"next_seq", &ProducerStats::next_seq},
};

constexpr Field<ConsumerStats> consumer_fields[] = {
    {"delivered", &ConsumerStats::delivered},
    {"payload_bytes", &ConsumerStats::payload_bytes},
    {"abandoned", &ConsumerStats::abandoned},
    {"unannounced", &ConsumerStats::unannounced},
    {"wrong_epoch", &ConsumerStats::wrong_epoch},
    {"malformed", &ConsumerStats::malformed},
    {"remaps", &ConsumerStats::remaps},
    {"first_seq", &ConsumerStats::first_seq},
    {"last_seq", &ConsumerStats::last_seq},
    {"accounted", &ConsumerStats::accounted},
    {"configs_refused", &ConsumerStats::configs_refused},
    {"regions_lost", &ConsumerStats::regions_lost},
    {"no_frames", &ConsumerStats::no_frames},
    {"stale_seen", &ConsumerStats::stale_seen},
    {"latency_samples", &ConsumerStats::latency_samples},
    {"latency_sum_ns", &ConsumerStats::latency_sum_ns},
};

std::string name_of(std::size_t cause) { return std::string(to_string(static_cast<LossCause>(cause))); }

bool take(const Json& json, std::string_view name, std::uint64_t& value) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_number_unsigned()) return false;
  value = found->get<std::uint64_t>();
  return true;
}

bool take_epoch(const Json& json, std::uint64_t& epoch) {
  const auto found = json.find("epoch");
  if (found == json.end() || !found->is_string()) return false;
  const auto& text = found->get_ref<const std::string&>();
  return std::from_chars(text.data(), text.data() + text.size(), epoch).ec == std::errc();
}

}  // namespace

Json to_json(const ProducerStats& stats) {
  Json json{{"epoch", std::to_string(stats.epoch)}};
  for (const auto& [name, member] : producer_fields) json[std::string(name)] = stats.*member;
  return json;
}

Json to_json(const ConsumerStats& stats) {
  Json json{{"epoch", std::to_string(stats.epoch)}};
  for (const auto& [name, member] : consumer_fields) json[std::string(name)] = stats.*member;
  Json lost = Json::object();
  for (std::size_t cause = 0; cause < loss_causes; ++cause) lost[name_of(cause)] = stats.lost[cause];
  json["lost"] = std::move(lost);
  return json;
}

Json to_json(const EpochSpans& spans) {
  Json json = Json::array();
  for (const EpochSpan& span : spans.all()) {
    json.push_back({{"epoch", std::to_string(span.epoch)}, {"first_seq", span.first_seq}, {"last_seq", span.last_seq}});
  }
  return json;
}

std::optional<ProducerStats> producer_stats_from(const Json& json) {
  ProducerStats stats;
  bool whole = json.is_object() && take_epoch(json, stats.epoch);
  for (const auto& [name, member] : producer_fields) whole = whole && take(json, name, stats.*member);
  return whole ? std::optional(stats) : std::nullopt;
}

std::optional<ConsumerStats> consumer_stats_from(const Json& json) {
  ConsumerStats stats;
  bool whole = json.is_object() && take_epoch(json, stats.epoch);
  for (const auto& [name, member] : consumer_fields) whole = whole && take(json, name, stats.*member);
  const auto lost = whole ? json.find("lost") : json.end();
  whole = whole && lost != json.end() && lost->is_object();
  for (std::size_t cause = 0; cause < loss_causes; ++cause)
    whole = whole && take(*lost, name_of(cause), stats.lost[cause]);
  return whole ? std::optional(stats) : std::nullopt;
}

std::string describe_losses(const ConsumerStats& stats) {
  std::string text;
  for (std::size_t cause = 0; cause < loss_causes; ++cause) {
    if (stats.lost[cause] != 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name_of(cause), stats.lost[cause]);
  }
  return text;
}

std::string json_text(const Json& json) {
  constexpr int one_line = -1;
  constexpr bool only_ascii = true;
  return json.dump(one_line, ' ', only_ascii, Json::error_handler_t::replace);
}

void print_json(const Json& json) { print_line(json_text(json)); }

}  // namespace tensorpool::apps
