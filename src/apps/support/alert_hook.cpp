#include "apps/support/alert_hook.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

constexpr std::size_t most_running = 8;
constexpr std::string_view own_prefix = "TENSORPOOL_EVENT";

// What the program inherits: three streams, and the signals as a program expects them.
class SpawnSetup {
 public:
  SpawnSetup() {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    ::posix_spawnattr_init(&attributes);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes, &signals);
    ::sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes, &signals);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSetup() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
};

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> environment_for(const MonitorEvent& event) {
  std::vector<std::string> variables = environment_of_event(event);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with(own_prefix)) variables.emplace_back(*entry);
  }
  return variables;
}

}  // namespace

std::vector<std::string> environment_of_event(const MonitorEvent& event) {
  return {fmt::format("TENSORPOOL_EVENT={}", to_string(event.kind)),
          fmt::format("TENSORPOOL_EVENT_ALERT={}", is_alert(event) ? 1 : 0),
          fmt::format("TENSORPOOL_EVENT_STREAM_ID={}", event.stream_id),
          fmt::format("TENSORPOOL_EVENT_CLIENT_ID={}", event.client_id),
          fmt::format("TENSORPOOL_EVENT_EPOCH={}", event.epoch),
          fmt::format("TENSORPOOL_EVENT_REASON={}", to_string(event.reason)),
          fmt::format("TENSORPOOL_EVENT_LAST_SEQ={}", event.last_seq ? std::to_string(*event.last_seq) : ""),
          fmt::format("TENSORPOOL_EVENT_SILENT_NS={}", event.silent_ns),
          fmt::format("TENSORPOOL_EVENT_MESSAGE={}", escape(event.message))};
}

Status AlertHook::check(const std::vector<std::string>& command) {
  if (command.empty() || command.front().empty()) {
    return make_error(ErrorCode::invalid_argument, "the program to execute has no name");
  }
  const std::string& program = command.front();
  if (program.find('/') == std::string::npos || ::access(program.c_str(), X_OK) == 0) return {};
  return make_error(ErrorCode::invalid_argument, "{} cannot be executed: {}", program, std::strerror(errno));
}

void AlertHook::run(const MonitorEvent& event) {
  reap();
  if (running_.size() >= most_running) {
    return log_(LogLevel::warning, fmt::format("{} is not started for {}: {} of it still run", command_.front(),
                                               to_string(event.kind), running_.size()));
  }
  std::vector<std::string> arguments = command_;
  std::vector<std::string> variables = environment_for(event);
  const SpawnSetup setup;
  pid_t pid = -1;
  const int fault = ::posix_spawnp(&pid, command_.front().c_str(), &setup.files, &setup.attributes,
                                   pointers_to(arguments).data(), pointers_to(variables).data());
  if (fault != 0) {
    return log_(LogLevel::warning, fmt::format("{} cannot be started for {}: {}", command_.front(),
                                               to_string(event.kind), std::strerror(fault)));
  }
  ++started_;
  running_.push_back(pid);
}

void AlertHook::reap() {
  std::erase_if(running_, [&](pid_t pid) {
    int status = 0;
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR)) return false;
    if (ended == pid && status != 0) {
      log_(LogLevel::warning, WIFSIGNALED(status)
                                  ? fmt::format("{} was killed by signal {}", command_.front(), WTERMSIG(status))
                                  : fmt::format("{} ended with status {}", command_.front(), WEXITSTATUS(status)));
    }
    return true;
  });
}

}  // namespace tensorpool::apps
