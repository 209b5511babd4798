#include "support/killed_child.hpp"

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

namespace tensorpool {
namespace {

[[noreturn]] void run_child(const std::function<void()>& work) {
  ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  ::raise(SIGSTOP);
  work();
  ::_exit(0);
}

Killed not_killed(std::string why) { return {.failure = std::move(why)}; }

bool is_at_a_call(pid_t child) {
  __ptrace_syscall_info info{};
  return ::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

// What became of the child by the next stop; nothing if it goes on.
std::optional<Killed> advance(pid_t child, Step step) {
  const auto request = step == Step::instruction ? PTRACE_SINGLESTEP : PTRACE_SYSCALL;
  const int expected = step == Step::instruction ? SIGTRAP : (SIGTRAP | 0x80);
  int status = 0;
  if (::ptrace(request, child, nullptr, nullptr) != 0 || ::waitpid(child, &status, 0) != child) {
    return not_killed(std::strerror(errno));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Killed{.ended = true};
  if (!WIFSTOPPED(status)) return not_killed("the child died by itself");
  if (WSTOPSIG(status) != expected) return not_killed("the child got signal " + std::to_string(WSTOPSIG(status)));
  return std::nullopt;
}

// Forks, and calls `steer` with the child before its first instruction of the work; whatever it leaves is killed.
template <class Steer>
Killed with_child(const std::function<void()>& work, Steer&& steer) {
  const pid_t child = static_cast<pid_t>(
      ::syscall(SYS_fork));  // without the handlers of fork(), by which a child would give its handles up
  if (child < 0) return not_killed(std::strerror(errno));
  if (child == 0) run_child(work);
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return not_killed("the child did not stop");
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  Killed killed = steer(child);
  if (!killed.ended) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  return killed;
}

}  // namespace

Killed run_and_kill(const std::function<void()>& work, Step step, long steps) {
  return with_child(work, [&](pid_t child) -> Killed {
    const long stops = step == Step::instruction ? steps : steps + 1;  // at the entry of a call it is not made yet
    for (long done = 0; done < stops;) {
      if (auto over = advance(child, step)) return *over;
      if (step == Step::instruction || is_at_a_call(child)) ++done;
    }
    return {};
  });
}

Killed step_through(const std::function<void()>& work, const std::function<void(long)>& after) {
  return with_child(work, [&](pid_t child) -> Killed {
    for (long done = 1;; ++done) {
      const auto over = advance(child, Step::instruction);
      if (!over || over->ended) after(done);
      if (over) return *over;
    }
  });
}

int run_in_copy(const std::function<int()>& work) {
  const pid_t child = static_cast<pid_t>(
      ::syscall(SYS_fork));  // without the handlers of fork(), by which a child would give its handles up
  if (child < 0) return -1;
  if (child == 0) ::_exit(work());
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace tensorpool
