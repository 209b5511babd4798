#include "process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <stdexcept>
#include <utility>

#include "base/error.hpp"

namespace tensorpool::bench {
namespace {

Nanos read_clock(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return Nanos{now.tv_sec} * nanos_per_second + now.tv_nsec;
}

void write_all(int to, const std::string& text) noexcept {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::write(to, text.data() + done, text.size() - done);
    if (wrote <= 0 && errno != EINTR) return;
    done += wrote > 0 ? static_cast<std::size_t>(wrote) : 0;
  }
}

std::string text_of(const std::function<Json()>& body) noexcept {
  try {
    return Json{{"result", body()}}.dump();
  } catch (const std::exception& error) {
    return Json{{"error", error.what()}}.dump();
  }
}

}  // namespace

Process::Process(std::string name, const std::function<Json()>& body) : name_(std::move(name)) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error(errno_error(errno, "cannot make a pipe").message);
  report_.reset(ends[0]);
  UniqueFd report_end(ends[1]);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error(errno_error(errno, "cannot fork {}", name_).message);
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // the parent died before the line above
  write_all(report_end.get(), text_of(body));
  ::_exit(0);
}

Process::Process(Process&& other) noexcept
    : name_(std::move(other.name_)), pid_(std::exchange(other.pid_, -1)), report_(std::move(other.report_)) {}

Process::~Process() { kill(); }

void Process::signal(int number) const noexcept {
  if (pid_ > 0) ::kill(pid_, number);
}

void Process::kill() noexcept {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

Json Process::result(Nanos timeout_ns) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (const Nanos deadline = monotonic_now() + timeout_ns;;) {
    pollfd waiting{report_.get(), POLLIN, 0};
    const Nanos left_ms = std::max<Nanos>(0, (deadline - monotonic_now()) / nanos_per_milli);
    const int ready = ::poll(&waiting, 1, static_cast<int>(left_ms));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) throw std::runtime_error(name_ + " does not end");
    const ssize_t got = ::read(report_.get(), buffer.data(), buffer.size());
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  const Json report = text.empty() ? Json{{"error", "died"}} : Json::parse(text);
  if (report.contains("error")) throw std::runtime_error(name_ + ": " + report["error"].get<std::string>());
  return report["result"];
}

void Process::require_running() {
  pollfd waiting{report_.get(), POLLIN, 0};
  if (::poll(&waiting, 1, 0) <= 0) return;
  (void)result();
  throw std::runtime_error(name_ + " has ended");
}

Nanos Process::cpu_time_ns() const {
  clockid_t clock{};
  if (::clock_getcpuclockid(pid_, &clock) != 0) throw std::runtime_error(name_ + " is gone");
  return read_clock(clock);
}

Nanos thread_cpu_time_ns() noexcept { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

void pin_to_core(std::size_t core) noexcept {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  (void)::pthread_setaffinity_np(::pthread_self(), sizeof(cores), &cores);
}

void sleep_ns(Nanos duration) noexcept {
  const timespec interval{static_cast<time_t>(duration / nanos_per_second),
                          static_cast<long>(duration % nanos_per_second)};
  ::nanosleep(&interval, nullptr);
}

void await(const std::function<bool()>& condition, const char* what, Nanos timeout_ns) {
  for (const Nanos deadline = monotonic_now() + timeout_ns; !condition();) {
    if (monotonic_now() > deadline) throw std::runtime_error(std::string("waited in vain for ") + what);
    sleep_ns(100 * nanos_per_micro);
  }
}

}  // namespace tensorpool::bench
