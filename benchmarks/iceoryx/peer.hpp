// The second process of a run: takes frames and answers.
#pragma once

#include <sys/types.h>

#include "options.hpp"

namespace tensorpool::bench {

class Peer {
 public:
  // Starts it; it says hello `back` once all its ports are connected. REQUIRES: no other thread runs in this process.
  Peer(const Options& options, pid_t run);
  ~Peer();  // ends it
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  [[nodiscard]] bool has_ended() noexcept;

 private:
  pid_t pid_ = -1;
};

}  // namespace tensorpool::bench
