// How a peer of the soak talks with its conductor: a JSON object a line on standard output, with what it is ("is") and
// when (CLOCK_MONOTONIC, "t"); words on standard input, whose end is a clean end.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <string>

#include "apps/flow/stats_json.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::soak {

using apps::Json;

// Any thread.
inline void say(std::string_view what, Json line = Json::object()) {
  static std::mutex mutex;
  line["is"] = what;
  line["t"] = monotonic_now();
  const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const std::lock_guard lock(mutex);  // a long line is more than one write into a pipe
  if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) std::_Exit(9);
}

// What must never be seen; the soak fails by it.
inline void say_fault(std::string what, Json facts = Json::object()) {
  facts["what"] = std::move(what);
  say("fault", std::move(facts));
}

// The conductor's words: "pause", "resume". Looked at without waiting.
class Commands {
 public:
  // False once standard input has ended.
  bool heed() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, 0) <= 0) return !ended_;
    char text[256];
    const ssize_t got = ::read(STDIN_FILENO, text, sizeof text);
    if (got <= 0) ended_ = true;
    if (got > 0) {
      const std::string words(text, static_cast<std::size_t>(got));
      const auto pause = words.rfind("pause");
      const auto resume = words.rfind("resume");
      if (pause != std::string::npos || resume != std::string::npos) {
        paused_ = resume == std::string::npos || (pause != std::string::npos && pause > resume);
      }
    }
    return !ended_;
  }
  [[nodiscard]] bool paused() const noexcept { return paused_; }

 private:
  bool ended_ = false;
  bool paused_ = false;
};

// Says its figures ten times a second: a peer that is silent for long hangs.
class Ticker {
 public:
  template <class Describe>
  void tick(Describe&& describe) {
    const Nanos now = monotonic_now();
    if (now < next_) return;
    next_ = now + nanos_per_second / 10;
    say("tick", describe());
  }

 private:
  Nanos next_ = 0;
};

}  // namespace tensorpool::soak
