// Log lines without a logger: the library hands text to a sink that the application chose, and never prints.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "tensorpool/time.hpp"

namespace tensorpool {

enum class LogLevel : unsigned char { debug, info, warning, error };
using LogSink = std::function<void(LogLevel, std::string_view)>;

// Text from another process, made safe for a log: control characters and non-ASCII escaped, cut at `max` bytes.
[[nodiscard]] std::string escape(std::string_view text, std::size_t max = 1024);

// What holds lines of one kind back. `key` is a constant of ours: at most 64 keys are told apart, the rest share one.
struct LogGate {
  constexpr LogGate(const char* name, unsigned most = 1) noexcept : key(name), lines_per_second(most) {}
  std::string_view key;
  unsigned lines_per_second;
};

// One thread at a time, as the agent that owns it.
class Log {
 public:
  explicit Log(LogSink sink = {}) : sink_(std::move(sink)) {}

  template <class... Args>
  void debug(fmt::format_string<Args...> text, Args&&... args) {
    write(LogLevel::debug, text, std::forward<Args>(args)...);
  }
  template <class... Args>
  void info(fmt::format_string<Args...> text, Args&&... args) {
    write(LogLevel::info, text, std::forward<Args>(args)...);
  }
  template <class... Args>
  void warning(fmt::format_string<Args...> text, Args&&... args) {
    write(LogLevel::warning, text, std::forward<Args>(args)...);
  }
  template <class... Args>
  void error(fmt::format_string<Args...> text, Args&&... args) {
    write(LogLevel::error, text, std::forward<Args>(args)...);
  }

  // At most one line per key and second, or as many as the gate says; the next one says how many were held back. For
  // whatever a peer can provoke.
  template <class... Args>
  void limited(Nanos now, LogGate gate, LogLevel level, fmt::format_string<Args...> text, Args&&... args) {
    if (!sink_) return;
    const auto [open, held_back] = admit(now, gate);
    if (!open) return;
    std::string line = fmt::format(text, std::forward<Args>(args)...);
    if (held_back > 0) line += fmt::format(" ({} more like this were not logged)", held_back);
    sink_(level, line);
  }

 private:
  struct Gate {
    Nanos opens_again = 0;
    unsigned lines = 0;  // since it opened
    std::uint64_t held_back = 0;
  };

  template <class... Args>
  void write(LogLevel level, fmt::format_string<Args...> text, Args&&... args) {
    if (sink_) sink_(level, fmt::format(text, std::forward<Args>(args)...));
  }
  std::pair<bool, std::uint64_t> admit(Nanos now, const LogGate& limit);

  LogSink sink_;
  std::map<std::string, Gate, std::less<>> gates_;
};

}  // namespace tensorpool
