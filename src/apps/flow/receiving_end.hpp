// What a program that consumes says about it: a line each second and a summary, for people or as JSON, latencies from
// the frame's time stamp to here, and beside the frame path the CRC log. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "apps/flow/crc_log.hpp"
#include "apps/flow/epoch_spans.hpp"
#include "apps/flow/latency_histogram.hpp"
#include "apps/flow/rate_meter.hpp"
#include "apps/flow/stats_json.hpp"
#include "tensorpool/consumer.hpp"

namespace tensorpool::apps {

class ReceivingEnd {
 public:
  enum class Voice : std::uint8_t {
    text,    // lines for people
    json,    // lines for programs
    silent,  // nothing on standard output; the summary is told by the caller
  };

  // Says "attached". `consumer` must outlive this.
  ReceivingEnd(const Consumer& consumer, Voice voice, std::optional<CrcLogWriter> log, Nanos now);

  [[nodiscard]] bool wants_crc() const noexcept { return log_.has_value(); }
  // Call for each frame that was received whole. latency_ns: from its time stamp to now.
  void received(const CrcRecord& record, Nanos latency_ns);
  void content_was_wrong() noexcept { ++wrong_content_; }
  [[nodiscard]] std::uint64_t wrong_content() const noexcept { return wrong_content_; }
  // Asked when a line has no frame to tell of: the stream's producer; 0: it has none.
  void find_producer_with(std::function<std::uint32_t()> find) { find_producer_ = std::move(find); }
  // Further figures of this program, named by it.
  Json& extra() noexcept { return extra_; }

  // Prints a line when a second has passed since the last one.
  void tick(Nanos now);
  // Prints the summary and closes the log. An error is a log that could not be written.
  [[nodiscard]] Status finish(Nanos now);
  // The summary of finish() for people.
  [[nodiscard]] std::string summary() const;

 private:
  [[nodiscard]] std::string describe_silence() const;
  [[nodiscard]] Json line(std::string_view event, Rate rate, const LatencyHistogram& latencies) const;
  [[nodiscard]] std::string describe(Rate rate, const LatencyHistogram& latencies) const;

  const Consumer& consumer_;
  Voice voice_;
  std::optional<CrcLogWriter> log_;
  RateMeter meter_;
  EpochSpans spans_;
  LatencyHistogram recent_;
  LatencyHistogram all_;
  std::uint64_t wrong_content_ = 0;
  Json extra_ = Json::object();
  std::function<std::uint32_t()> find_producer_;
};

}  // namespace tensorpool::apps
