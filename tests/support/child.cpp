#include "support/child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "support/wait.hpp"

namespace tensorpool {
namespace {

// Owned by the vector it came from.
std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> merged_environment(const std::vector<std::string>& over) {
  std::vector<std::string> all = over;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const std::string_view name = text.substr(0, text.find('=') + 1);
    const bool replaced =
        std::any_of(over.begin(), over.end(), [&](const auto& mine) { return mine.rfind(name, 0) == 0; });
    if (!replaced) all.emplace_back(text);
  }
  return all;
}

}  // namespace

Child::Child(std::vector<std::string> arguments, const std::vector<std::string>& environment) {
  int in[2];
  int out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  std::vector<std::string> variables = merged_environment(environment);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(variables);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {  // nothing but system calls until the new program runs: other threads held locks when we forked
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(out[1], STDERR_FILENO);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  input_ = in[1];
  if (pid_ < 0) {
    ::close(out[0]);
    throw std::runtime_error("cannot fork");
  }
  reader_ = std::thread([this, from = out[0]] { read(from); });
}

Child::~Child() {
  kill();
  close_input();
  reader_.join();
}

void Child::signal(int number) const noexcept {
  if (!status_) ::kill(pid_, number);
}

void Child::kill() {
  signal(SIGKILL);
  (void)reap(true);
}

void Child::send(const std::string& line) const {
  const std::string text = line + "\n";
  if (::write(input_, text.data(), text.size()) < 0) return;  // it is gone: whoever waits for the answer will see
}

void Child::close_input() noexcept {
  if (input_ >= 0) ::close(input_);
  input_ = -1;
}

bool Child::running() { return !reap(false); }

bool Child::maps(const std::string& dir) const {
  std::ifstream mappings("/proc/" + std::to_string(pid_) + "/maps");
  for (std::string line; std::getline(mappings, line);) {
    if (line.find(" " + dir + "/") != std::string::npos) return true;
  }
  return false;
}

int Child::wait() {
  if (!eventually([this] { return !running(); })) return -1;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, watchdog, [this] { return ended_; });  // its last words may still be under way
  return *status_;
}

bool Child::reap(bool block) {
  if (status_) return true;
  int status = 0;
  if (::waitpid(pid_, &status, block ? 0 : WNOHANG) != pid_) return false;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

bool Child::await(std::string_view text) {
  std::unique_lock lock(mutex_);
  const auto deadline = std::chrono::steady_clock::now() + watchdog;
  for (;;) {
    for (; awaited_ < lines_.size(); ++awaited_) {
      if (lines_[awaited_].find(text) != std::string::npos) return ++awaited_, true;
    }
    if (ended_ || changed_.wait_until(lock, deadline) == std::cv_status::timeout) return false;
  }
}

bool Child::said(std::string_view text) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(lines_.begin(), lines_.end(),
                     [&](const auto& line) { return line.find(text) != std::string::npos; });
}

std::uint64_t Child::value(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = values_.find(name);
  return found == values_.end() ? 0 : found->second;
}

bool Child::advances(const std::string& name, std::uint64_t by) {
  const std::uint64_t from = value(name);
  return eventually([&] { return value(name) >= from + by || !running(); }) && value(name) >= from + by;
}

std::string Child::output() const {
  const std::lock_guard lock(mutex_);
  std::string all = "\n--- output of process " + std::to_string(pid_) + ":\n";
  const std::size_t first = lines_.size() > 60 ? lines_.size() - 60 : 0;
  for (std::size_t i = first; i < lines_.size(); ++i) all += lines_[i] + "\n";
  for (const auto& [name, number] : values_) all += name + "=" + std::to_string(number) + " ";
  return all;
}

void Child::read(int from) {
  std::string rest;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(from, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    rest.append(buffer, static_cast<std::size_t>(got));
    for (std::size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
      take_line(rest.substr(0, end));
      rest.erase(0, end + 1);
    }
  }
  ::close(from);
  if (!rest.empty()) take_line(rest);
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

void Child::take_line(std::string line) {
  const std::lock_guard lock(mutex_);
  if (line.rfind("progress ", 0) != 0) {
    lines_.push_back(std::move(line));
  } else {
    for (std::size_t at = line.find(' '); at != std::string::npos; at = line.find(' ', at + 1)) {
      const std::size_t equals = line.find('=', at);
      if (equals == std::string::npos) break;
      values_[line.substr(at + 1, equals - at - 1)] = std::strtoull(line.c_str() + equals + 1, nullptr, 10);
    }
  }
  changed_.notify_all();
}

}  // namespace tensorpool
