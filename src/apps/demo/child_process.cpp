#include "apps/demo/child_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <utility>

#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error(errno, "cannot create a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::string name_of(std::string_view variable) { return std::string(variable.substr(0, variable.find('='))); }

std::vector<std::string> environment_with(const std::vector<std::string>& overrides) {
  std::vector<std::string> result = overrides;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const bool overridden = std::any_of(overrides.begin(), overrides.end(),
                                        [&](const std::string& text) { return name_of(text) == name_of(*entry); });
    if (!overridden) result.emplace_back(*entry);
  }
  return result;
}

struct Prepared {
  std::vector<char*> arguments;
  std::vector<char*> environment;
  int input;
  int output;
  int log;
  pid_t parent;
};

// Between fork and exec: system calls alone.
[[noreturn]] void become(const Prepared& prepared) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != prepared.parent) ::_exit(127);  // the parent died before the line above
  ::setpgid(0, 0);                                   // Ctrl-C reaches the parent alone, which ends us in order
  ::dup2(prepared.input, STDIN_FILENO);
  ::dup2(prepared.output, STDOUT_FILENO);
  ::dup2(prepared.log, STDERR_FILENO);
  ::execve(prepared.arguments[0], prepared.arguments.data(), prepared.environment.data());
  const std::string_view text = "cannot be executed\n";
  std::ignore = ::write(STDERR_FILENO, text.data(), text.size());
  ::_exit(127);
}

}  // namespace

Result<ChildProcess> ChildProcess::start(ChildCommand command) {
  if (::access(command.arguments.at(0).c_str(), X_OK) != 0) {
    return errno_error(errno, "{}: cannot run {} (build it with ./run build)", command.name, command.arguments[0]);
  }
  ChildProcess child(std::move(command));
  auto input = make_pipe();
  auto output = make_pipe();
  if (!input || !output) return input ? output.error() : input.error();
  const UniqueFd log(::open(child.command_.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!log) return errno_error(errno, "cannot create {}", child.command_.log_path);

  std::vector<std::string> environment = environment_with(child.command_.environment);
  const Prepared prepared{pointers(child.command_.arguments),
                          pointers(environment),
                          input->read.get(),
                          output->write.get(),
                          log.get(),
                          ::getpid()};
  child.pid_ = ::fork();
  if (child.pid_ < 0) return errno_error(errno, "cannot start {}", child.command_.name);
  if (child.pid_ == 0) become(prepared);
  ::setpgid(child.pid_, child.pid_);
  child.input_ = std::move(input->write);
  child.output_ = std::move(output->read);
  ::fcntl(child.output_.get(), F_SETFL, O_NONBLOCK);
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : command_(std::move(other.command_)),
      pid_(std::exchange(other.pid_, -1)),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      partial_line_(std::move(other.partial_line_)),
      exit_status_(other.exit_status_) {}

ChildProcess::~ChildProcess() {
  if (pid_ <= 0 || exit_status_) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);  // in case it has not reached its own group yet
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

void ChildProcess::read_lines(std::vector<std::string>& lines) {
  std::array<char, 65'536> buffer;
  while (output_) {
    const ssize_t got = ::read(output_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return;
    if (got == 0) return output_.reset();
    partial_line_.append(buffer.data(), static_cast<std::size_t>(got));
    for (auto end = partial_line_.find('\n'); end != std::string::npos; end = partial_line_.find('\n')) {
      lines.push_back(partial_line_.substr(0, end));
      partial_line_.erase(0, end + 1);
    }
  }
}

void ChildProcess::signal(int number) const noexcept {
  if (pid_ > 0 && !exit_status_) ::kill(pid_, number);
}

bool ChildProcess::has_ended() noexcept {
  if (exit_status_ || pid_ <= 0) return true;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
  exit_status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return true;
}

std::string ChildProcess::last_words() const {
  constexpr std::size_t longest = 1500;
  std::ifstream file(command_.log_path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  if (text.size() > longest) text.erase(0, text.find('\n', text.size() - longest) + 1);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace tensorpool::apps
