#include "apps/tp/consume_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "apps/flow/crc32c.hpp"
#include "apps/flow/crc_log.hpp"
#include "apps/flow/drain.hpp"
#include "apps/flow/event_json.hpp"
#include "apps/flow/pattern.hpp"
#include "apps/flow/receiving_end.hpp"
#include "apps/support/number_options.hpp"
#include "apps/tp/client_names.hpp"
#include "apps/tp/save_frame.hpp"
#include "base/error.hpp"
#include "tensorpool/idle.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::apps {
namespace {

constexpr Nanos idle_nap_ns = 100 * nanos_per_micro;

// One frame after the other: copy, check, log.
class FrameCheck {
 public:
  FrameCheck(const ConsumeOptions& options, ReceivingEnd& end, bool keep) : options_(options), end_(end), keep_(keep) {}

  // Whether the content was looked at, frame by frame; a log is compared at the end.
  [[nodiscard]] bool checks_each() const { return options_.verify && options_.against.empty(); }

  void on_frame(const Frame& frame) {
    if (options_.count != 0 && received_ == options_.count) return;
    buffer_.resize(std::max(buffer_.size(), frame.size_bytes()));
    const auto copied = frame.copy_to(buffer_);
    if (!copied) return;  // the consumer counts why
    const Nanos latency = latency_since(frame.timestamp_ns(), monotonic_now());
    const std::span<const std::byte> content = std::span(buffer_).first(*copied);
    const bool ok = check(frame, content, latency);
    ++received_;
    if (options_.each) say(frame, ok);
    if (!options_.save_dir.empty() && !failure_) {
      if (auto saved = save_frame(options_.save_dir, frame, content); !saved) failure_ = saved.error();
    }
  }

  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] const std::vector<CrcRecord>& kept() const noexcept { return kept_; }
  [[nodiscard]] const std::optional<Error>& failure() const noexcept { return failure_; }

 private:
  bool check(const Frame& frame, std::span<const std::byte> content, Nanos latency) {
    const bool ok = !checks_each() || !find_pattern_fault(content, frame.seq());
    if (!ok) end_.content_was_wrong();
    CrcRecord record{frame.epoch(), frame.seq(), 0, static_cast<std::uint32_t>(content.size())};
    if (keep_ || end_.wants_crc()) record.crc = crc32c(content);
    if (keep_) kept_.push_back(record);
    end_.received(record, latency);
    return ok;
  }

  void say(const Frame& frame, bool ok) const {
    const TensorLayout& layout = frame.layout();
    if (!options_.json) {
      return print_line(fmt::format("stream {} epoch {} seq {} timestamp {} {} {} bytes{}", frame.stream_id(),
                                    frame.epoch(), frame.seq(), frame.timestamp_ns(), layout.describe(),
                                    frame.size_bytes(),
                                    !ok             ? " WRONG CONTENT"
                                    : checks_each() ? " ok"
                                                    : ""));
    }
    print_json({{"stream", frame.stream_id()},
                {"epoch", std::to_string(frame.epoch())},
                {"seq", frame.seq()},
                {"timestamp", frame.timestamp_ns()},
                {"shape", std::vector<std::int32_t>(layout.shape().begin(), layout.shape().end())},
                {"dtype", to_string(layout.dtype)},
                {"bytes", frame.size_bytes()},
                {"ok", checks_each() ? Json(ok) : Json()}});
  }

  const ConsumeOptions& options_;
  ReceivingEnd& end_;
  bool keep_;
  std::uint64_t received_ = 0;
  std::vector<std::byte> buffer_;
  std::vector<CrcRecord> kept_;
  std::optional<Error> failure_;
};

void poll_until_stopped(const ConsumeOptions& options, const std::atomic<bool>& stop, Consumer& consumer,
                        FrameCheck& check, ReceivingEnd& end, EventLines& events) {
  Idle idle(IdleMode::sleep, idle_nap_ns);
  const Nanos started = monotonic_now();
  while (!stop.load(std::memory_order_relaxed) && !check.failure()) {
    idle.idle(consumer.poll([&](const Frame& frame) { check.on_frame(frame); }));
    const Nanos now = monotonic_now();
    events.print();
    end.tick(now);
    if (options.count != 0 && check.received() >= options.count) return;
    if (options.limit_ns != 0 && now - started >= options.limit_ns) return;
  }
}

Status verify_against_log(const ConsumeOptions& options, const std::vector<CrcRecord>& received, ReceivingEnd& end) {
  auto sent = read_crc_log(options.against);
  if (!sent) return sent.error();
  const CrcComparison result = compare_crc_logs(std::move(*sent), received);
  end.extra()["verified"] = result.verified;
  if (result.all_right()) return {};
  return make_error(
      ErrorCode::protocol_error,
      "stream {}: of {} frames, {} differ from what {} says was sent, {} were never sent, {} came twice; the "
      "first is sequence {} of epoch {}",
      options.consumer.stream_id, received.size(), result.different, options.against, result.unknown, result.repeated,
      result.example->seq, result.example->epoch);
}

Status verify_pattern(const ConsumeOptions& options, std::uint64_t received, ReceivingEnd& end) {
  end.extra()["verified"] = received - end.wrong_content();
  if (end.wrong_content() == 0) return {};
  return make_error(
      ErrorCode::protocol_error,
      "stream {}: {} of {} frames did not hold the pattern of their sequence; a stream that is not published by "
      "`tp publish pattern` is verified with --against and its producer's --crc-log",
      options.consumer.stream_id, end.wrong_content(), received);
}

// What --verify and --count found; the figure of the former goes into the summary. Whoever was stopped by a signal had
// no time to receive everything.
Status verdict(const ConsumeOptions& options, const FrameCheck& check, bool stopped, ReceivingEnd& end) {
  const std::uint64_t wanted = std::max<std::uint64_t>(options.count, options.verify ? 1 : 0);
  if (check.received() < wanted && !stopped) {
    return make_error(ErrorCode::timed_out, "stream {}: {} of {} frames came within {} s; is it being published?",
                      options.consumer.stream_id, check.received(), wanted, to_seconds(options.limit_ns));
  }
  if (!options.verify || check.received() == 0) return {};  // its producer may not have begun, nor its log
  return options.against.empty() ? verify_pattern(options, check.received(), end)
                                 : verify_against_log(options, check.kept(), end);
}

// By the counters, so at once and without a word to the driver.
std::uint32_t producer_of(const ClientOptions& client, std::uint32_t stream_id) {
  const auto counters =
      transport::read_counters(client.aeron_dir.empty() ? transport::default_aeron_dir() : client.aeron_dir);
  return counters ? tp::producer_in(*counters, client.control.stream_id, stream_id) : 0;
}

ReceivingEnd::Voice voice_of(const ConsumeOptions& options) {
  if (options.each) return ReceivingEnd::Voice::silent;
  return options.json ? ReceivingEnd::Voice::json : ReceivingEnd::Voice::text;
}

}  // namespace

Status consume_stream(const ConsumeOptions& options, const std::atomic<bool>& stop) {
  auto log = open_crc_log_if_named(options.crc_log);
  if (!log) return log.error();
  EventLines events;
  ClientOptions wanted = options.client;
  const bool prints_events = options.json && !options.each;
  if (prints_events) {
    wanted.on_event = [&, also = options.client.on_event](const Event& event) {
      events.add(event);
      if (also) also(event);
    };
  }
  auto client = Client::connect(std::move(wanted));
  if (!client) return client.error();
  auto consumer = client->attach_consumer(options.consumer);
  if (!consumer) return consumer.error();

  ReceivingEnd end(*consumer, voice_of(options), std::move(*log), monotonic_now());
  end.find_producer_with([&] { return producer_of(options.client, consumer->stream_id()); });
  FrameCheck check(options, end, options.verify && !options.against.empty());
  poll_until_stopped(options, stop, *consumer, check, end, events);
  if (stop.load(std::memory_order_relaxed)) drain(*consumer, [&](const Frame& frame) { check.on_frame(frame); });
  Status verified = verdict(options, check, stop.load(std::memory_order_relaxed), end);
  Status finished = end.finish(monotonic_now());
  if (options.each) print_error(end.summary());
  if (!finished) return finished;
  if (check.failure()) return *check.failure();
  return verified;
}

}  // namespace tensorpool::apps
