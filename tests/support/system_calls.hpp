// Counts the system calls of a piece of work: in a child process, under ptrace. For work that must make none.
#pragma once

#include <functional>
#include <string>

namespace tensorpool {

struct CountedCalls {
  long calls = 0;           // but for clock_gettime
  std::string first_few{};  // their numbers, for the message of a test that fails
  std::string failure{};    // why nothing could be counted; empty = it was
};

// Forks; the child runs `prepare`, whose answer is the work to count, or empty if it could not be prepared.
[[nodiscard]] CountedCalls count_system_calls(const std::function<std::function<void()>()>& prepare);

}  // namespace tensorpool
