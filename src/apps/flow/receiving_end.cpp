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
  const bool measured = latencies.count() != 0;
  json["latency_p50_ns"] = measured ? Json(latencies.percentile(50)) : Json();
  json["latency_p99_ns"] = measured ? Json(latencies.percentile(99)) : Json();
  if (!measured && find_producer_) json["producer_id"] = find_producer_();
  json["wrong_content"] = wrong_content_;
  json["stats"] = to_json(consumer_.stats());
  json["epochs"] = to_json(spans_);
  json.update(extra_);
  return json;
}

std::string ReceivingEnd::describe_silence() const {
  const std::uint32_t producer = find_producer_ ? find_producer_() : 0;
  if (producer != 0) return fmt::format("no new frame of producer {}", producer);
  return find_producer_ ? "no producer" : "no new frame";
}

std::string ReceivingEnd::describe(Rate rate, const LatencyHistogram& latencies) const {
  const ConsumerStats stats = consumer_.stats();
  std::string text = fmt::format("stream {}: {} frames, {:.1f} Hz, {:.1f} MB/s", consumer_.stream_id(), stats.delivered,
                                 rate.hz, rate.megabytes_per_s);
  if (latencies.count() != 0) {
    text += fmt::format(", latency p50 {:.0f} us, p99 {:.0f} us", micros(latencies.percentile(50)),
                        micros(latencies.percentile(99)));
  } else {
    text += ", " + describe_silence();
  }
  // Nothing is known to be lost of a stream that has had no frame.
  if (const std::string losses = describe_losses(stats); stats.delivered != 0 || !losses.empty()) {
    text += fmt::format(", abandoned {}, lost {}", stats.abandoned, losses.empty() ? "none" : losses);
  }
  if (wrong_content_ != 0) text += fmt::format(", WRONG CONTENT {}", wrong_content_);
  for (const auto& [name, value] : extra_.items()) text += fmt::format(", {} {}", name, json_text(value));
  return text;
}

}  // namespace tensorpool::apps
