// A part of a run in a process of its own, forked from the program's first process. That one has no other thread, so
// it can fork at any time. A part is killed at the latest with its Process, or with the program.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "arguments.hpp"
#include "base/unique_fd.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::bench {

class Process {
 public:
  // Runs `body` in the new process, whose result, or error, is kept for result().
  Process(std::string name, const std::function<Json()>& body);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  void signal(int number) const noexcept;
  // kill -9, and waits for its end. Idempotent.
  void kill() noexcept;
  // Waits for its end; returns what its body returned. Throws std::runtime_error when the body failed, the process was
  // killed, or the time is over.
  [[nodiscard]] Json result(Nanos timeout_ns = 120 * nanos_per_second);
  // Throws what result() would throw if it has ended already: for parts that must not end yet.
  void require_running();
  // CPU time that it has taken so far, all threads.
  [[nodiscard]] Nanos cpu_time_ns() const;

 private:
  std::string name_;
  pid_t pid_ = -1;
  UniqueFd report_;
};

// CPU time of the calling thread.
[[nodiscard]] Nanos thread_cpu_time_ns() noexcept;

// Runs the calling thread on this core alone, and threads that it makes from now on; nothing happens when there is no
// such core.
void pin_to_core(std::size_t core) noexcept;
// The cores that a producer and a consumer are pinned to.
inline constexpr std::size_t producer_core = 0;
inline constexpr std::size_t consumer_core = 1;

void sleep_ns(Nanos duration) noexcept;

// Waits, napping 100 us, until `condition` holds. Throws std::runtime_error with `what` when it takes longer.
void await(const std::function<bool()>& condition, const char* what, Nanos timeout_ns = 60 * nanos_per_second);

// Spins for as long as a spinning reader would wait.
inline void pause_core() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace tensorpool::bench
