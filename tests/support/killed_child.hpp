// A forked copy of this process that does a piece of work under ptrace, and is killed on the way: after so many machine
// instructions, or before so many system calls. What it wrote to memory and files that it shares stays as it was then.
// REQUIRES: the process has one thread.
#pragma once

#include <functional>
#include <string>

namespace tensorpool {

enum class Step : unsigned char { instruction, system_call };

struct Killed {
  bool ended = false;     // the work was over before
  std::string failure{};  // why nothing can be said: it died by itself, or ptrace is not allowed; empty = all well
};

// kill -9 after `steps` instructions of the work, or where it has made `steps` system calls and is about to make the
// next one.
[[nodiscard]] Killed run_and_kill(const std::function<void()>& work, Step step, long steps);

// Does the work one machine instruction at a time and calls after(n) when n are done, while the copy stands still: what
// it shares is then what kill -9 would leave. The last call is at its end.
[[nodiscard]] Killed step_through(const std::function<void()>& work, const std::function<void(long)>& after);

// The exit status of a forked copy that does the work, which returns it; -1 if it died.
[[nodiscard]] int run_in_copy(const std::function<int()>& work);

}  // namespace tensorpool
