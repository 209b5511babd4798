// SilenceWatch: whether frames have been missing for longer than a timeout. Reports each change once. A plain class
// for one thread; time is an argument.
#pragma once

#include <cstdint>
#include <optional>

#include "tensorpool/time.hpp"

namespace tensorpool {

class SilenceWatch {
 public:
  enum class Change : std::uint8_t { none, silent, resumed };

  // 0 never reports.
  explicit SilenceWatch(Nanos timeout_ns = 0) noexcept : timeout_ns_(timeout_ns) {}

  // `frames_came`: at least one new frame since the last call. The first call starts the clock.
  Change look(bool frames_came, Nanos now) noexcept {
    if (frames_came || !since_) {
      since_ = now;
      const bool resumed = silent_ && frames_came;
      silent_ = silent_ && !frames_came;
      return resumed ? Change::resumed : Change::none;
    }
    if (timeout_ns_ == 0 || silent_ || now - *since_ < timeout_ns_) return Change::none;
    silent_ = true;
    return Change::silent;
  }
  // The time without frames before `now` no longer counts; a silence that was reported goes on.
  void restart(Nanos now) noexcept { since_ = now; }
  // Forgets everything, also a silence that was reported.
  void reset() noexcept {
    since_.reset();
    silent_ = false;
  }

  [[nodiscard]] bool silent() const noexcept { return silent_; }
  // Since the newest frame was noticed, or since the first look; 0 before that.
  [[nodiscard]] Nanos silent_ns(Nanos now) const noexcept { return since_ ? now - *since_ : 0; }

 private:
  Nanos timeout_ns_;
  std::optional<Nanos> since_;
  bool silent_ = false;
};

}  // namespace tensorpool
