// A program that this one started: its standard output comes here line by line, its standard error goes to a file, its
// standard input is a pipe that ends when this object or this process does. It cannot outlive its parent.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::apps {

struct ChildCommand {
  std::string name;                      // for people
  std::vector<std::string> arguments;    // the program's path first
  std::vector<std::string> environment;  // "NAME=value", over this process' own
  std::string log_path;                  // where its standard error goes
};

class ChildProcess {
 public:
  // REQUIRES: no other thread runs in this process.
  [[nodiscard]] static Result<ChildProcess> start(ChildCommand command);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();  // kills it and whatever it started, if it still runs

  [[nodiscard]] const std::string& name() const noexcept { return command_.name; }
  [[nodiscard]] int output() const noexcept { return output_.get(); }
  // Takes what the child has written and appends whole lines to `lines`; never blocks.
  void read_lines(std::vector<std::string>& lines);
  void signal(int number) const noexcept;
  void close_input() noexcept { input_.reset(); }
  // Whether it has ended; then exit_status() is known. Never blocks.
  [[nodiscard]] bool has_ended() noexcept;
  // As a shell has it: 128 + the signal's number for a killed one.
  [[nodiscard]] std::optional<int> exit_status() const noexcept { return exit_status_; }
  // The end of what it wrote to standard error.
  [[nodiscard]] std::string last_words() const;

 private:
  explicit ChildProcess(ChildCommand command) : command_(std::move(command)) {}

  ChildCommand command_;
  pid_t pid_ = -1;
  UniqueFd input_;
  UniqueFd output_;
  std::string partial_line_;
  std::optional<int> exit_status_;
};

}  // namespace tensorpool::apps
