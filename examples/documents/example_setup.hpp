// What example_producer and example_consumer have in common: the two configuration files, numbers, waiting, a line a
// second.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string_view>

#include "apps/config/client_setup.hpp"
#include "apps/support/command_line.hpp"
#include "apps/support/connect_patiently.hpp"
#include "apps/support/event_log.hpp"
#include "apps/support/exit_code.hpp"
#include "apps/support/logging.hpp"
#include "apps/support/print.hpp"
#include "apps/support/program.hpp"
#include "apps/support/stop_signal.hpp"

namespace examples {

using namespace tensorpool;
using namespace tensorpool::apps;

inline void say(std::string_view line) { print_line(line); }

// The first two arguments of each.
struct Files {
  std::string config;
  std::string defaults;

  void declare(CLI::App& app) {
    app.add_option("CONFIG", config, "the driver's configuration")->required();
    app.add_option("DEFAULTS", defaults, "the configuration of this program's role")->required();
  }
};

// A whole number within these limits, for an argument.
inline CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
  return CLI::Validator(
      [=](const std::string& text) {
        std::uint64_t value = 0;
        const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool whole = fault == std::errc{} && end == text.data() + text.size();
        return whole && value >= least && value <= most
                   ? std::string()
                   : fmt::format("{} is not a whole number from {} to {}", text, least, most);
      },
      "");
}

inline Patience patience() { return {stop_requested, say}; }

inline void nap(Nanos duration) {
  const timespec length{duration / nanos_per_second, duration % nanos_per_second};
  ::nanosleep(&length, nullptr);
}

// True once a second.
class EverySecond {
 public:
  bool operator()(Nanos now) {
    const bool due = now >= next_;
    next_ = due ? now + nanos_per_second : next_;
    return due;
  }

 private:
  Nanos next_ = monotonic_now() + nanos_per_second;
};

}  // namespace examples
