// Lookout: a connection that listens, and the StreamWatch that it feeds; what the monitor and the supervisor have in
// common. It follows a media driver that goes and comes back, reads the Aeron counters now and then, and lets the watch
// judge once the inbox is empty. One thread.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "client/control_plane.hpp"
#include "client/stream_watch.hpp"

namespace tensorpool::detail {

class Lookout {
 public:
  struct Settings {
    StreamWatch::Settings watch;
    Nanos counters_interval_ns = nanos_per_second;  // 0 = never
    ControlPlane::Ends ends = ControlPlane::Ends::listening;
  };
  // What one look at the counters showed.
  struct Facts {
    std::vector<LeaseFact> leases;
    std::vector<ClientFact> clients;
  };

  // REQUIRES: `where` outlives this.
  Lookout(const ClientOptions& where, const Settings& settings);

  // The error is for whoever starts it.
  Status open(Nanos now) { return plane_.open(now); }
  // One duty cycle but for the counters; calls also(bytes) for each message after the watch had it.
  template <class F>
  int do_work(Nanos now, F&& also) {
    int work = follow_connection(now);
    const int heard = plane_.poll([&](std::span<const std::byte> bytes) {
      show(bytes, now);
      also(bytes);
    });
    work += heard;
    busy_cycles_ = heard == 0 ? 0 : busy_cycles_ + 1;
    if (plane_.up() && (heard == 0 || busy_cycles_ > most_busy_cycles)) work += watch_.check(now);
    return work;
  }
  // Looks at the counters if it is time to. Maps a file, and touches nothing that do_work and the watch use.
  [[nodiscard]] std::optional<Facts> look_at_counters(Nanos now);

  [[nodiscard]] bool connected() const noexcept { return plane_.up(); }
  [[nodiscard]] ControlPlane& plane() noexcept { return plane_; }
  [[nodiscard]] StreamWatch& watch() noexcept { return watch_; }
  [[nodiscard]] const StreamWatch& watch() const noexcept { return watch_; }

 private:
  // A flood does not put judgement off for ever.
  static constexpr int most_busy_cycles = 200;

  int follow_connection(Nanos now);
  void show(std::span<const std::byte> bytes, Nanos now);

  const ClientOptions& where_;
  const Settings settings_;
  ControlPlane plane_;
  StreamWatch watch_;
  Nanos next_counters_ = 0;
  int busy_cycles_ = 0;
};

// Whether a monitor or a supervisor can work with these times; the error names the one that is wrong.
[[nodiscard]] Status check_lookout(const ClientOptions& where);
// Whether the timeouts are in range; `owner` is the struct that holds them.
[[nodiscard]] Status check_no_frames(std::string_view owner, Nanos timeout_ns,
                                     const std::vector<NoFramesTimeout>& of_streams);

}  // namespace tensorpool::detail
