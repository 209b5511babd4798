// iceoryx's daemon for one run, with a memory of the run's own size. Its names in shared memory are fixed, so that only
// one can live on a machine.
#pragma once

#include <sys/types.h>

#include <string>

#include "options.hpp"

namespace tensorpool::bench {

// Makes this process known to the daemon by that name.
void join_roudi(const std::string& name);

// Names by which the run's two processes are known to the daemon, and their sockets in the file system.
[[nodiscard]] std::string sender_name(pid_t run);
[[nodiscard]] std::string receiver_name(pid_t run);

// A keeper process, in a session of its own, starts the daemon, and ends it and removes the run's files when this
// object is gone: by its destructor, or with a process that was killed.
class RouDi {
 public:
  // Returns when it serves. Throws std::runtime_error. REQUIRES: no other thread runs in this process.
  explicit RouDi(const Options& options);
  ~RouDi();
  RouDi(const RouDi&) = delete;
  RouDi& operator=(const RouDi&) = delete;

 private:
  pid_t keeper_ = -1;
  int lifeline_ = -1;
};

}  // namespace tensorpool::bench
