#include "apps/flow/sending_end.hpp"

#include <fmt/format.h>

#include <utility>

namespace tensorpool::apps {

SendingEnd::SendingEnd(const Producer& producer, bool json, std::optional<CrcLogWriter> log, Nanos now)
    : producer_(producer), json_(json), log_(std::move(log)), meter_(now) {
  if (json_) {
    print_json(line("attached", {}));
  } else {
    print_line(fmt::format("stream {}: attached as producer {}, epoch {}", producer_.stream_id(), producer_.client_id(),
                           producer_.stats().epoch));
  }
}

void SendingEnd::committed(PublishStatus status, const CrcRecord& record) {
  if (!is_committed(status)) return;
  frames_came_ = true;
  meter_.count(record.bytes);
  spans_.extend(record.epoch, record.seq);
  if (log_) log_->append(record);
}

void SendingEnd::expect_frames(std::string source, Nanos timeout_ns, LogSink log) {
  source_ = std::move(source);
  silence_log_ = std::move(log);
  silence_ = SilenceWatch(timeout_ns);
  extra_["no_frames"] = silences_;
}

void SendingEnd::look_for_silence(Nanos now) {
  const Nanos silent_ns = silence_.silent_ns(now);
  const SilenceWatch::Change change = silence_.look(std::exchange(frames_came_, false), now);
  if (change == SilenceWatch::Change::none) return;
  const bool silent = change == SilenceWatch::Change::silent;
  if (silent) extra_["no_frames"] = ++silences_;
  const double seconds = static_cast<double>(silent_ns) / 1e9;
  const std::string message =
      silent
          ? fmt::format("no frame from {} for {:.0f} s; stream {} stands still. Check its trigger, power and network",
                        source_, seconds, producer_.stream_id())
          : fmt::format("frames from {} again, after {:.0f} s", source_, seconds);
  silence_log_(silent ? LogLevel::warning : LogLevel::info, message);
  if (!json_) return;
  const ProducerStats stats = producer_.stats();
  print_json({{"event", silent ? "no_frames" : "frames_resumed"},
              {"role", "producer"},
              {"stream", producer_.stream_id()},
              {"client_id", producer_.client_id()},
              {"epoch", std::to_string(stats.epoch)},
              {"source", source_},
              {"published", stats.published},
              {"silent_ns", silent_ns},
              {"message", message}});
}

void SendingEnd::tick(Nanos now) {
  if (silence_log_) look_for_silence(now);
  if (now - meter_.since() < nanos_per_second) return;
  print("rate", meter_.sample(now));
  if (log_) std::ignore = log_->flush();  // a failure stays and is told at the end
}

Status SendingEnd::finish(Nanos now) {
  meter_.sample(now);
  print("summary", meter_.overall());
  return log_ ? log_->close() : Status();
}

Json SendingEnd::line(std::string_view event, Rate rate) const {
  Json json{
      {"event", event}, {"role", "producer"}, {"stream", producer_.stream_id()}, {"client_id", producer_.client_id()}};
  json["hz"] = rate.hz;
  json["megabytes_per_s"] = rate.megabytes_per_s;
  json["stats"] = to_json(producer_.stats());
  json["epochs"] = to_json(spans_);
  json.update(extra_);
  return json;
}

void SendingEnd::print(std::string_view event, Rate rate) const {
  if (json_) return print_json(line(event, rate));
  const ProducerStats stats = producer_.stats();
  std::string text = fmt::format(
      "stream {}: {} frames, {:.1f} Hz, {:.1f} MB/s, abandoned {}, descriptors dropped {}, claims refused {}",
      producer_.stream_id(), stats.published, rate.hz, rate.megabytes_per_s, stats.abandoned, stats.descriptors_dropped,
      stats.claims_refused);
  if (stats.not_attached != 0) text += fmt::format(", not attached {}", stats.not_attached);
  for (const auto& [name, value] : extra_.items()) text += fmt::format(", {} {}", name, json_text(value));
  if (event == "summary") {
    for (const EpochSpan& span : spans_.all()) {
      text += fmt::format("; epoch {}: sequences {} to {}", span.epoch, span.first_seq, span.last_seq);
    }
    text = "summary of " + text;
  }
  print_line(text);
}

}  // namespace tensorpool::apps
