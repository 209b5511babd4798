#include "apps/support/redrawn_lines.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "apps/support/print.hpp"
#include "base/printable.hpp"

namespace tensorpool::apps {
namespace {

// Columns of the terminal; 0 when it does not say.
std::size_t terminal_width() noexcept {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace

void RedrawnLines::show(const std::vector<std::string>& lines) {
  constexpr const char* clear_line = "\x1b[2K";
  constexpr const char* clear_below = "\x1b[J";
  std::string text = shown_ != 0 ? fmt::format("\x1b[{}A", shown_) : "";
  const std::size_t width = terminal_width();
  for (const std::string& line : lines)
    text += fmt::format("{}{}\n", clear_line, cut_to(printable(line, Lines::one), width));
  print_text(text + clear_below);
  shown_ = lines.size();
}

std::string_view cut_to(std::string_view line, std::size_t width) noexcept {
  return width == 0 ? line : line.substr(0, width);
}

bool on_terminal() noexcept { return ::isatty(STDOUT_FILENO) != 0; }

}  // namespace tensorpool::apps
