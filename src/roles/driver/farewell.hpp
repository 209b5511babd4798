// Farewell: the end of a driver, from the request over draining and the last words to the removal of its files (driver
// spec §4.13). One thread, that of the driver's duty cycle.
#pragma once

#include "roles/driver/announcer.hpp"
#include "roles/driver/books.hpp"
#include "roles/driver/control_desk.hpp"
#include "roles/driver/driver_status.hpp"

namespace tensorpool::driver {

class Farewell {
 public:
  // REQUIRES: all outlive this.
  Farewell(Books& books, Announcer& announcer, ControlDesk& desk) : books_(books), announcer_(announcer), desk_(desk) {}

  // Begins to drain if the books say that somebody asked for it; once.
  void begin_if_asked(Nanos now);
  // One step; how much was done. `linked`: the outboxes can still be emptied.
  int advance(Nanos now, bool linked);

  // running, draining, closing or finished.
  [[nodiscard]] DriverState state() const noexcept { return state_; }

 private:
  void say_goodbye(Nanos now);
  int finish_up(Nanos now, bool linked);

  Books& books_;
  Announcer& announcer_;
  ControlDesk& desk_;
  DriverState state_ = DriverState::running;
  protocol::ShutdownReason reason_ = protocol::ShutdownReason::normal;
  Nanos deadline_ = 0;  // of the state
};

}  // namespace tensorpool::driver
