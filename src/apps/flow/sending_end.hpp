// What a program that publishes says about it: a line each second and a summary, for people or as JSON, and beside the
// frame path the CRC log. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "apps/flow/crc_log.hpp"
#include "apps/flow/epoch_spans.hpp"
#include "apps/flow/rate_meter.hpp"
#include "apps/flow/stats_json.hpp"
#include "base/log.hpp"
#include "base/silence_watch.hpp"
#include "tensorpool/producer.hpp"

namespace tensorpool::apps {

class SendingEnd {
 public:
  // Says "attached". `producer` must outlive this.
  SendingEnd(const Producer& producer, bool json, std::optional<CrcLogWriter> log, Nanos now);

  [[nodiscard]] bool wants_crc() const noexcept { return log_.has_value(); }
  // Call after a commit; `crc` counts only when wants_crc(). Frames that were not committed are only in the counters.
  void committed(PublishStatus status, const CrcRecord& record);
  // Further figures of this program, named by it, such as frames that a camera did not deliver whole.
  Json& extra() noexcept { return extra_; }

  // From now on a line says once when no frame was committed for `timeout_ns` (0: never), and once when they come
  // again: in `log`, and with JSON on standard output too. `source`: where they come from, such as "camera 10.0.0.5".
  void expect_frames(std::string source, Nanos timeout_ns, LogSink log);

  // Prints a line when a second has passed since the last one. Call it at least as often as frames may be missed.
  void tick(Nanos now);
  // Prints the summary and closes the log. An error is a log that could not be written.
  [[nodiscard]] Status finish(Nanos now);

 private:
  [[nodiscard]] Json line(std::string_view event, Rate rate) const;
  void print(std::string_view event, Rate rate) const;
  void look_for_silence(Nanos now);

  const Producer& producer_;
  bool json_;
  std::optional<CrcLogWriter> log_;
  RateMeter meter_;
  EpochSpans spans_;
  Json extra_ = Json::object();

  std::string source_;
  LogSink silence_log_;
  SilenceWatch silence_;
  std::uint64_t silences_ = 0;
  bool frames_came_ = false;  // since the last tick
};

}  // namespace tensorpool::apps
