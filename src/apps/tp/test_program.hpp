// Runs the built `tp` for a test: to its end, or in the background until the test is over.
#pragma once

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

namespace tensorpool::apps::tp {

struct Outcome {
  int status = -1;
  std::string text;
};

// To its end, as a shell runs it.
inline Outcome run_shell(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  Outcome outcome;
  std::array<char, 4096> chunk{};
  for (std::size_t got = 0; pipe != nullptr && (got = ::fread(chunk.data(), 1, chunk.size(), pipe)) > 0;) {
    outcome.text.append(chunk.data(), got);
  }
  const int status = pipe == nullptr ? -1 : ::pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

// Its standard output and standard error. `arguments` as a shell takes them; variables may stand before:
// run("driver status", "A=1 B=2").
inline Outcome run(const std::string& arguments, const std::string& variables = "") {
  return run_shell(variables + " " TP_BINARY " " + arguments + " 2>&1");
}

// Its standard output alone.
inline Outcome run_for_output(const std::string& arguments) {
  return run_shell(TP_BINARY " " + arguments + " 2>/dev/null");
}

class Background {
 public:
  explicit Background(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), TP_BINARY);
    std::vector<char*> argv;
    for (std::string& argument : arguments) {
      argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    if (::posix_spawn(&pid_, TP_BINARY, nullptr, nullptr, argv.data(), environ) != 0) {
      pid_ = -1;
    }
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }

  void signal(int number) const { ::kill(pid_, number); }
  // Waits for its end.
  int status() {
    int status = -1;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace tensorpool::apps::tp
