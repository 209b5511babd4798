// Announcer: says on the announce stream what every provisioned stream is at, each period and at once on a change.
#pragma once

#include "roles/driver/books.hpp"

namespace tensorpool::driver {

class Announcer {
 public:
  explicit Announcer(Books& books) : books_(books) {}

  // Announces the streams whose period is over, at most a bounded number per call; how many.
  int announce_due(Nanos now);
  // Now, and again a period later. Nothing for a stream that is between two epochs: what is gone must not be announced.
  void announce(Stream& stream, Nanos now);
  void announce_all(Nanos now);

 private:
  Books& books_;
};

}  // namespace tensorpool::driver
