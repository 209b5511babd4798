#include "roudi.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "iceoryx_hoofs/log/logmanager.hpp"
#include "iceoryx_posh/runtime/posh_runtime.hpp"

namespace tensorpool::bench {
namespace {

constexpr std::string_view ready_words = "ready for clients";
constexpr std::size_t answer_bytes = 64;

struct Pipe {
  int read = -1;
  int write = -1;
};
Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  return {ends[0], ends[1]};
}

std::string config_path(pid_t run) { return fmt::format("/dev/shm/tensorpool_bench_{}_roudi.toml", run); }

// Enough chunks for what may wait, what is written, what is read, and the one that a publisher keeps.
std::string config_text(const Options& options) {
  const auto pool = [](std::size_t bytes, std::size_t count) {
    return fmt::format("[[segment.mempool]]\nsize = {}\ncount = {}\n", bytes, count);
  };
  const std::size_t waiting = options.measure == Measure::throughput ? options.slots : burst;
  std::string text = "[general]\nversion = 1\n[[segment]]\n";
  if (options.bytes > answer_bytes) text += pool(answer_bytes, 16);
  return text + pool(std::max(options.bytes, answer_bytes), waiting + 16);
}

pid_t start_daemon(const std::string& config, int output) {
  const pid_t daemon = ::fork();
  if (daemon != 0) return daemon;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::execl(ROUDI_BINARY, ROUDI_BINARY, "-c", config.c_str(), static_cast<char*>(nullptr));
  ::_exit(127);
}

// Reads what the daemon says until the lifeline ends or the daemon does; says so on `ready` when it serves. Whether it
// ever did.
bool attend(int output, int lifeline, int ready) {
  std::string said;
  bool serves = false;
  std::array<char, 1024> bytes{};
  for (;;) {
    std::array<pollfd, 2> events{{{output, POLLIN, 0}, {lifeline, POLLIN, 0}}};
    if (::poll(events.data(), events.size(), -1) < 0 || events[1].revents != 0) return serves;
    const ssize_t got = ::read(output, bytes.data(), bytes.size());
    if (got <= 0) return serves;
    if (serves) continue;
    said.append(bytes.data(), static_cast<std::size_t>(got));
    serves = said.find(ready_words) != std::string::npos;
    if (serves && ::write(ready, "+", 1) != 1) return serves;
  }
}

void remove_files_of_process(const std::string& name) {
  ::unlink(("/tmp/" + name).c_str());
  ::unlink(("/tmp/" + name + ".lock").c_str());
}

// It leaves them when a process that it knew was killed. REQUIRES: the daemon was ours, and has ended.
void remove_files_of_daemon() {
  remove_files_of_process("roudi");
  ::unlink("/tmp/iox-unique-roudi.lock");
  ::unlink("/dev/shm/iceoryx_mgmt");
  if (const auto* const group = ::getgrgid(::getegid())) ::unlink(fmt::format("/dev/shm/{}", group->gr_name).c_str());
}

[[noreturn]] void keep(const Options& options, pid_t run, int lifeline, int ready) {
  ::setsid();  // a signal for the run's group leaves it to clean up
  const std::string config = config_path(run);
  std::ofstream(config) << config_text(options);
  const Pipe output = make_pipe();
  const pid_t daemon = start_daemon(config, output.write);
  ::close(output.write);
  if (daemon > 0) {
    const bool served = attend(output.read, lifeline, ready);
    ::kill(daemon, SIGTERM);
    ::waitpid(daemon, nullptr, 0);
    if (served) remove_files_of_daemon();
  }
  ::unlink(config.c_str());
  for (const auto& name : {sender_name(run), receiver_name(run)}) remove_files_of_process(name);
  ::_exit(0);
}

}  // namespace

std::string sender_name(pid_t run) { return fmt::format("tensorpool_bench_{}_sender", run); }
std::string receiver_name(pid_t run) { return fmt::format("tensorpool_bench_{}_receiver", run); }

RouDi::RouDi(const Options& options) {
  const pid_t run = ::getpid();
  const Pipe life = make_pipe();
  const Pipe ready = make_pipe();
  keeper_ = ::fork();
  if (keeper_ < 0) throw std::runtime_error("no process for RouDi's keeper");
  if (keeper_ == 0) {
    ::close(life.write);
    ::close(ready.read);
    keep(options, run, life.read, ready.write);
  }
  ::close(life.read);
  ::close(ready.write);
  lifeline_ = life.write;
  char serves = 0;
  const ssize_t got = ::read(ready.read, &serves, 1);
  ::close(ready.read);
  if (got != 1) throw std::runtime_error("RouDi does not serve; does another one run on this machine?");
}

RouDi::~RouDi() {
  ::close(lifeline_);
  ::waitpid(keeper_, nullptr, 0);
}

void join_roudi(const std::string& name) {
  iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kError);
  iox::runtime::PoshRuntime::initRuntime(iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name));
}

}  // namespace tensorpool::bench
