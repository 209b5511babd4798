// Events as JSON objects, one a line, for programs. Ids of 64 bits are strings.
#pragma once

#include <mutex>
#include <vector>

#include "apps/flow/stats_json.hpp"
#include "tensorpool/client.hpp"
#include "tensorpool/monitor.hpp"

namespace tensorpool::apps {

// {"event": "no_frames", ...}: the kind, stream, client, epoch and message, and what else the kind has.
[[nodiscard]] Json to_json(const Event& event);
// The same, with "alert": true or false.
[[nodiscard]] Json to_json(const MonitorEvent& event);

// Takes a client's events on the conductor's thread and prints them on the thread that prints everything else.
class EventLines {
 public:
  // Keeps what tells of frames and of who sends them: producer_gone, no_frames, frames_resumed.
  void add(const Event& event);
  void print();

 private:
  std::mutex mutex_;
  std::vector<Event> waiting_;
};

}  // namespace tensorpool::apps
