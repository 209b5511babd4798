// One program of the pipeline and what it has told so far: what it takes from which stream, what it gives to which
// stream.
#pragma once

#include <optional>
#include <string>

#include "apps/demo/child_process.hpp"
#include "apps/flow/stats_json.hpp"

namespace tensorpool::apps {

// The newest figures of one end of a station.
struct EndFigures {
  bool attached = false;
  bool final = false;  // its summary has come
  double hz = 0;
  double megabytes_per_s = 0;
  Nanos latency_p50_ns = 0;
  Nanos latency_p99_ns = 0;
  std::uint64_t wrong_content = 0;
};
struct ConsumerEnd : EndFigures {
  ConsumerStats stats;
};
struct ProducerEnd : EndFigures {
  ProducerStats stats;
  Json notes = Json::object();  // what only this station counts, such as incomplete camera frames or a centroid
};

class Station {
 public:
  enum class Kind : std::uint8_t { service, camera, processor, consumer };

  struct Plan {
    Kind kind = Kind::service;
    ChildCommand command;
    std::uint32_t in_stream_id = 0;   // 0 = takes nothing
    std::uint32_t out_stream_id = 0;  // 0 = gives nothing
    std::string in_log{};             // CRC logs of the two ends
    std::string out_log{};
  };

  // Starts it.
  [[nodiscard]] static Result<Station> start(Plan plan);

  [[nodiscard]] const Plan& plan() const noexcept { return plan_; }
  [[nodiscard]] ChildProcess& child() noexcept { return child_; }
  [[nodiscard]] const ConsumerEnd& in() const noexcept { return in_; }
  [[nodiscard]] const ProducerEnd& out() const noexcept { return out_; }
  // Everything that is its to attach is attached; for a service: it said that it is ready.
  [[nodiscard]] bool ready() const noexcept;
  // The summary of each of its ends has come.
  [[nodiscard]] bool summarized() const noexcept;

  // Takes what the child wrote since the last call. True if there was a line.
  bool listen();
  // One line of its output; what is no JSON object of ours is ignored.
  void hear(const std::string& line);

  Station(Plan plan, ChildProcess child) : plan_(std::move(plan)), child_(std::move(child)) {}

 private:
  Plan plan_;
  ChildProcess child_;
  ConsumerEnd in_;
  ProducerEnd out_;
  bool said_ready_ = false;
};

// The figures of a line with "role": "consumer" or "producer"; public for the tests.
[[nodiscard]] bool take_figures(const Json& line, ConsumerEnd& end);
[[nodiscard]] bool take_figures(const Json& line, ProducerEnd& end);

}  // namespace tensorpool::apps
