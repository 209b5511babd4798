#include "apps/demo/orchestra.hpp"

#include <poll.h>
#include <csignal>

#include <algorithm>
#include <filesystem>

#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

constexpr Nanos start_limit_ns = 60 * nanos_per_second;  // a loaded machine, memory to reserve
constexpr Nanos end_limit_ns = 15 * nanos_per_second;
constexpr Nanos listen_ns = 20 * nanos_per_milli;

Error ended_error(Station& station) {
  const std::string words = station.child().last_words();
  return make_error(ErrorCode::unavailable, "{} ended with status {}{}{}", station.child().name(),
                    *station.child().exit_status(), words.empty() ? "" : ", saying:\n", words);
}

}  // namespace

Status Orchestra::start() {
  if (auto started = start_media_driver(); !started) return started;
  if (auto started = add_and_wait({fake_camera_plan(paths_)}); !started) return started;
  if (auto started = add_and_wait(camera_plans(paths_)); !started) return started;
  if (auto started = add_and_wait(processor_plans(paths_)); !started) return started;
  return add_and_wait(consumer_plans(paths_));
}

Status Orchestra::play(Nanos length) {
  const Nanos started = monotonic_now();
  Nanos shown = started;
  for (Nanos now = started; now - started < length && !stop_.load(); now = monotonic_now()) {
    listen(listen_ns);
    if (auto alive = check_all_alive(); !alive) return alive;
    if (now - shown < nanos_per_second) continue;
    shown += nanos_per_second;
    table_.show(stations_, static_cast<double>(now - started) / 1e9);
  }
  return {};
}

void Orchestra::finish() {
  for (const auto kind : {Station::Kind::camera, Station::Kind::processor, Station::Kind::consumer}) stop_kind(kind);
  for (Station& station : stations_) {
    station.child().close_input();  // lets go those who held their stream for others
    if (station.plan().kind == Station::Kind::service && &station != &stations_.front())
      station.child().signal(SIGTERM);
  }
  const auto all_but_driver = [this] {
    return std::all_of(stations_.begin() + (stations_.empty() ? 0 : 1), stations_.end(),
                       [](Station& station) { return station.child().has_ended(); });
  };
  wait_for_end(all_but_driver, end_limit_ns);
  if (!stations_.empty()) stations_.front().child().signal(SIGTERM);
  wait_for_end([this] { return stations_.empty() || stations_.front().child().has_ended(); }, end_limit_ns);
  for (Station& station : stations_) station.child().signal(SIGKILL);  // who has ended is not there to hear it
  wait_for_end(
      [this] {
        return std::all_of(stations_.begin(), stations_.end(), [](Station& s) { return s.child().has_ended(); });
      },
      end_limit_ns);
}

Status Orchestra::add(Station::Plan plan) {
  auto station = Station::start(std::move(plan));
  if (!station) return station.error();
  stations_.push_back(std::move(*station));
  return {};
}

Status Orchestra::add_and_wait(std::vector<Station::Plan> plans) {
  for (Station::Plan& plan : plans) {
    if (auto added = add(std::move(plan)); !added) return added;
  }
  // The driver is the first and says nothing; that others attach is what shows it ready.
  const auto all_ready = [this] {
    return std::all_of(stations_.begin() + 1, stations_.end(), [](const Station& station) { return station.ready(); });
  };
  return wait_until(all_ready, start_limit_ns, "attached to its stream");
}

Status Orchestra::start_media_driver() {
  if (auto added = add(driver_plan(paths_)); !added) return added;
  const std::string file = aeron_dir_of(paths_) + "/cnc.dat";
  return wait_until([&file] { return std::filesystem::exists(file); }, start_limit_ns, "started a media driver");
}

Status Orchestra::wait_until(const std::function<bool()>& done, Nanos limit, std::string_view what) {
  const Nanos started = monotonic_now();
  while (!done()) {
    if (stop_.load()) return make_error(ErrorCode::closed, "stopped before everything was running");
    if (auto alive = check_all_alive(); !alive) return alive;
    if (monotonic_now() - started > limit) {
      std::string names;
      for (const Station& station : stations_) {
        if (!station.ready()) names += (names.empty() ? "" : ", ") + station.plan().command.name;
      }
      return make_error(ErrorCode::timed_out, "{}: not {} within {} s", names, what, limit / nanos_per_second);
    }
    listen(listen_ns);
  }
  return {};
}

void Orchestra::listen(Nanos limit) {
  std::vector<pollfd> outputs;
  for (Station& station : stations_) {
    if (station.child().output() >= 0) outputs.push_back({station.child().output(), POLLIN, 0});
  }
  ::poll(outputs.data(), outputs.size(), static_cast<int>(limit / nanos_per_milli));
  for (Station& station : stations_) station.listen();
}

Status Orchestra::check_all_alive() {
  for (Station& station : stations_) {
    if (!station.child().has_ended()) continue;
    station.listen();
    return ended_error(station);
  }
  return {};
}

// Asks for the end, and waits until the final figures are there.
void Orchestra::stop_kind(Station::Kind kind) {
  for (Station& station : stations_) {
    if (station.plan().kind == kind) station.child().signal(SIGINT);
  }
  wait_for_end(
      [this, kind] {
        return std::all_of(stations_.begin(), stations_.end(), [kind](Station& station) {
          return station.plan().kind != kind || station.summarized() || station.child().has_ended();
        });
      },
      end_limit_ns);
}

void Orchestra::wait_for_end(const std::function<bool()>& done, Nanos limit) {
  const Nanos started = monotonic_now();
  while (!done() && monotonic_now() - started < limit) listen(listen_ns);
  for (Station& station : stations_) station.listen();
}

}  // namespace tensorpool::apps
