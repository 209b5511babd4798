#include "apps/support/redrawn_lines.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace tensorpool::apps {

void RedrawnLines::show(const std::vector<std::string>& lines) {
  constexpr const char* clear_line = "\x1b[2K";
  constexpr const char* clear_below = "\x1b[J";
  if (shown_ != 0) fmt::print("\x1b[{}A", shown_);
  for (const std::string& line : lines) fmt::print("{}{}\n", clear_line, line);
  fmt::print("{}", clear_below);
  std::fflush(stdout);
  shown_ = lines.size();
}

bool on_terminal() noexcept { return ::isatty(STDOUT_FILENO) != 0; }

}  // namespace tensorpool::apps
