// AlertHook: starts a program of the operator's for an event. There is no shell: the arguments are as given, and what
// the event says is in environment variables. One thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "tensorpool/monitor.hpp"

namespace tensorpool::apps {

class AlertHook {
 public:
  // `command`: a path, or a name that PATH finds, and its arguments. The error is a path that cannot be executed.
  [[nodiscard]] static Status check(const std::vector<std::string>& command);

  // REQUIRES: command is not empty.
  AlertHook(std::vector<std::string> command, LogSink log) : command_(std::move(command)), log_(std::move(log)) {}

  // Starts the program and does not wait for it. Its standard input is empty, its standard output is our standard
  // error. At most 8 run at a time; an event beyond that is logged and starts none.
  void run(const MonitorEvent& event);
  // Takes the exit statuses of those that ended; a failure is logged. Call it now and then.
  void reap();

  [[nodiscard]] std::uint64_t started() const noexcept { return started_; }
  [[nodiscard]] bool idle() const noexcept { return running_.empty(); }

 private:
  std::vector<std::string> command_;
  LogSink log_;
  std::vector<pid_t> running_;
  std::uint64_t started_ = 0;
};

// "TENSORPOOL_EVENT=no_frames" and so on; docs/tp.md lists them.
[[nodiscard]] std::vector<std::string> environment_of_event(const MonitorEvent& event);

}  // namespace tensorpool::apps
