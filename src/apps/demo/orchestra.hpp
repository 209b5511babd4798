// Conducts the demo: starts the programs in order, waits for conditions and not for times, ends them in order.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <string>

#include "apps/demo/live_table.hpp"
#include "apps/demo/pipeline.hpp"

namespace tensorpool::apps {

class Orchestra {
 public:
  Orchestra(PipelinePaths paths, LiveTable& table, const std::atomic<bool>& stop)
      : paths_(std::move(paths)), table_(table), stop_(stop) {}

  // Starts all; returns when every end of every program is attached. An error names the program and its last words;
  // `closed` when `stop` came first.
  [[nodiscard]] Status start();
  // Lets it run for `seconds` or until `stop`, and shows it. An error is a program that ended on its own.
  [[nodiscard]] Status play(Nanos length);
  // Ends all: cameras first, then processors, then consumers, each when it has taken what waited. Each says its final
  // figures before the next is asked; producers stay attached until all have. What does not end in time is killed.
  void finish();

  [[nodiscard]] std::deque<Station>& stations() noexcept { return stations_; }

 private:
  [[nodiscard]] Status add(Station::Plan plan);
  [[nodiscard]] Status add_and_wait(std::vector<Station::Plan> plans);
  [[nodiscard]] Status start_media_driver();
  // Listens until `done`; an error when a program ended, `stop` is set, or the time is over.
  [[nodiscard]] Status wait_until(const std::function<bool()>& done, Nanos limit, std::string_view what);
  void listen(Nanos limit);
  [[nodiscard]] Status check_all_alive();
  void stop_kind(Station::Kind kind);
  void wait_for_end(const std::function<bool()>& done, Nanos limit);

  PipelinePaths paths_;
  LiveTable& table_;
  const std::atomic<bool>& stop_;
  std::deque<Station> stations_;
};

}  // namespace tensorpool::apps
