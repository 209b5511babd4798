// Counts the system calls of a piece of work: in a child process, under ptrace. For work that must make none, or none
// in most of the windows that it is done in.
#pragma once

#include <functional>
#include <string>

namespace tensorpool {

struct CountedCalls {
  long calls = 0;           // of all windows, but for clock_gettime
  long fewest = 0;          // of the window with the fewest
  std::string first_few{};  // their numbers, for the message of a test that fails
  std::string failure{};    // why nothing could be counted; empty = it was
};

// Forks; the child runs `prepare`, whose answer is the work of one window, or empty if it could not be prepared.
[[nodiscard]] CountedCalls count_system_calls(const std::function<std::function<void()>()>& prepare, int windows = 1);

}  // namespace tensorpool
