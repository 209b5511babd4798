// Child: a program that a test started. What it writes, on both outputs, is kept line by line; its standard input is a
// pipe for commands, whose end tells our own programs to leave. It is killed at the latest with this object, or with
// this process.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace tensorpool {

class Child {
 public:
  // `arguments` begin with the program's path; `environment` ("NAME=value") goes over this process's own.
  explicit Child(std::vector<std::string> arguments, const std::vector<std::string>& environment = {});
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  void signal(int number) const noexcept;
  // kill -9, and waits for its end.
  void kill();
  void send(const std::string& line) const;
  void close_input() noexcept;
  [[nodiscard]] bool running();
  // Whether a file in or below `dir` is mapped into it now.
  [[nodiscard]] bool maps(const std::string& dir) const;
  // Waits for its end and its last words; the exit status, 128 + signal for a killed one, -1 if the watchdog came
  // first.
  int wait();

  // True once a line that holds `text` was written, counting from the first line that no await has passed yet.
  [[nodiscard]] bool await(std::string_view text);
  // Whether any line so far holds `text`.
  [[nodiscard]] bool said(std::string_view text) const;
  // The newest "progress name=value ..." line; `value` is 0 for a name that it lacks.
  [[nodiscard]] std::uint64_t value(const std::string& name) const;
  // Waits until `name` of the progress lines has grown by `by` over what it is now.
  [[nodiscard]] bool advances(const std::string& name, std::uint64_t by = 3);
  // Everything that it wrote, for messages.
  [[nodiscard]] std::string output() const;

 private:
  void read(int from);
  void take_line(std::string line);
  bool reap(bool block);

  pid_t pid_ = -1;
  int input_ = -1;
  std::optional<int> status_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  std::map<std::string, std::uint64_t> values_;
  std::size_t awaited_ = 0;  // lines that await() has passed
  bool ended_ = false;       // its outputs are closed
  std::thread reader_;
};

}  // namespace tensorpool
