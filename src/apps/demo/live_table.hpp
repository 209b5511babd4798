// The state of the pipeline while it runs: a table that is redrawn in place on a terminal, plain lines elsewhere, or
// one JSON object a second.
#pragma once

#include <deque>
#include <string>

#include "apps/demo/station.hpp"
#include "apps/support/redrawn_lines.hpp"

namespace tensorpool::apps {

enum class TableStyle : std::uint8_t { redrawn, lines, json };

class LiveTable {
 public:
  explicit LiveTable(TableStyle style) noexcept : style_(style) {}
  // Stations live in a deque, because they must not move while they are listened to.
  void show(const std::deque<Station>& stations, double seconds);

 private:
  TableStyle style_;
  bool header_shown_ = false;
  RedrawnLines lines_;
};

// A row for each consumer of a stream, in the order of the stream ids, with a header; public for the tests.
[[nodiscard]] std::vector<std::string> table_rows(const std::deque<Station>& stations);

// "centroid [1.5,2.0]", of the processor or camera that publishes it; empty when there is nothing to say.
[[nodiscard]] std::string describe_notes(const Json& notes);

}  // namespace tensorpool::apps
