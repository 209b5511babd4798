#include "apps/flow/receiving_end.hpp"

#include <fmt/format.h>

namespace tensorpool::apps {
namespace {

double micros(Nanos duration) { return static_cast<double>(duration) / 1e3; }

}  // namespace

ReceivingEnd::ReceivingEnd(const Consumer& consumer, Voice voice, std::optional<CrcLogWriter> log, Nanos now)
    : consumer_(consumer), voice_(voice), log_(std::move(log)), meter_(now) {
  if (voice_ == Voice::json) print_json(line("attached", {}, recent_));
  if (voice_ != Voice::text) return;
  print_line(fmt::format("stream {}: attached as consumer {}", consumer_.stream_id(), consumer_.client_id()));
}

void ReceivingEnd::received(const CrcRecord& record, Nanos latency_ns) {
  meter_.count(record.bytes);
  recent_.record(latency_ns);
  spans_.extend(record.epoch, record.seq);
  if (log_) log_->append(record);
}

void ReceivingEnd::tick(Nanos now) {
  if (now - meter_.since() < nanos_per_second) return;
  const Rate rate = meter_.sample(now);
  if (voice_ == Voice::json) print_json(line("rate", rate, recent_));
  if (voice_ == Voice::text) print_line(describe(rate, recent_));
  all_.add(recent_);
  recent_.reset();
  if (log_) std::ignore = log_->flush();  // a failure stays and is told at the end
}

Status ReceivingEnd::finish(Nanos now) {
  meter_.sample(now);
  all_.add(recent_);
  recent_.reset();
  if (voice_ == Voice::json) print_json(line("summary", meter_.overall(), all_));
  if (voice_ == Voice::text) print_line(summary());
  return log_ ? log_->close() : Status();
}

std::string ReceivingEnd::summary() const { return "summary of " + describe(meter_.overall(), all_); }

Json ReceivingEnd::line(std::string_view event, Rate rate, const LatencyHistogram& latencies) const {
  Json json{
      {"event", event}, {"role", "consumer"}, {"stream", consumer_.stream_id()}, {"client_id", consumer_.client_id()}};
  json["hz"] = rate.hz;
  json["megabytes_per_s"] = rate.megabytes_per_s;
  json["latency_p50_ns"] = latencies.percentile(50);
  json["latency_p99_ns"] = latencies.percentile(99);
  json["wrong_content"] = wrong_content_;
  json["stats"] = to_json(consumer_.stats());
  json["epochs"] = to_json(spans_);
  json.update(extra_);
  return json;
}

std::string ReceivingEnd::describe(Rate rate, const LatencyHistogram& latencies) const {
  const ConsumerStats stats = consumer_.stats();
  const std::string losses = describe_losses(stats);
  std::string text = fmt::format(
      "stream {}: {} frames, {:.1f} Hz, {:.1f} MB/s, latency p50 {:.0f} us, p99 {:.0f} us, abandoned {}, lost {}",
      consumer_.stream_id(), stats.delivered, rate.hz, rate.megabytes_per_s, micros(latencies.percentile(50)),
      micros(latencies.percentile(99)), stats.abandoned, losses.empty() ? "none" : losses);
  if (wrong_content_ != 0) text += fmt::format(", WRONG CONTENT {}", wrong_content_);
  for (const auto& [name, value] : extra_.items()) text += fmt::format(", {} {}", name, json_text(value));
  return text;
}

}  // namespace tensorpool::apps
