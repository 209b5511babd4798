#include "apps/support/redrawn_lines.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "apps/support/print.hpp"
#include "base/printable.hpp"

namespace tensorpool::apps {
namespace {

constexpr const char* clear_line = "\x1b[2K";
constexpr const char* clear_below = "\x1b[J";
constexpr const char* clear_screen = "\x1b[H\x1b[2J";

std::string_view variable(const char* name) noexcept {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

const char* code_of(LineStyle style) noexcept {
  switch (style) {
    case LineStyle::plain:
      return "";
    case LineStyle::heading:
      return "\x1b[1m";
    case LineStyle::warning:
      return "\x1b[33m";
    case LineStyle::error:
      return "\x1b[31m";
  }
  return "";
}

std::string colored(const StyledLine& line, std::size_t width, bool color) {
  const std::string safe = printable(line.text, Lines::one);
  const std::string_view text = cut_to(safe, width);
  const std::string_view code = color ? code_of(line.style) : "";
  return code.empty() ? std::string(text) : fmt::format("{}{}\x1b[0m", code, text);
}

}  // namespace

TerminalSize terminal_size() noexcept {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return {size.ws_col, size.ws_row};
}

bool can_redraw() noexcept {
  const std::string_view term = variable("TERM");
  return ::isatty(STDOUT_FILENO) != 0 && !term.empty() && term != "dumb";
}

bool may_color() noexcept { return can_redraw() && variable("NO_COLOR").empty(); }

std::string redrawn(const std::vector<StyledLine>& lines, TerminalSize size, std::size_t above, bool color) {
  std::string text = above == 0 ? "" : fmt::format("\x1b[{}A", above);
  // The cursor stands below the last line, which takes a row too.
  const bool fit = size.rows == 0 || lines.size() < size.rows;
  const std::size_t count = fit ? lines.size() : std::max<std::size_t>(size.rows, 2) - 2;
  for (std::size_t i = 0; i < count; ++i) {
    text += fmt::format("{}{}\n", clear_line, colored(lines[i], size.columns, color));
  }
  if (!fit) {
    const std::string more = fmt::format("{} more lines", lines.size() - count);
    text += fmt::format("{}{}\n", clear_line, cut_to(more, size.columns));
  }
  return text + clear_below;
}

void RedrawnLines::show(const std::vector<StyledLine>& lines) {
  const TerminalSize size = terminal_size();
  std::string text;
  if (shown_ != 0 && size != size_) {  // a terminal wraps lines again, and nothing stands where it stood
    text = clear_screen;
    shown_ = 0;
  }
  text += redrawn(lines, size, shown_, color_);
  print_text(text);
  size_ = size;
  shown_ = size.rows == 0 ? lines.size() : std::min(lines.size(), std::max<std::size_t>(size.rows, 2) - 1);
}

void RedrawnLines::show(const std::vector<std::string>& lines) {
  std::vector<StyledLine> plain;
  plain.reserve(lines.size());
  for (const std::string& line : lines) plain.push_back({line});
  show(plain);
}

std::string_view cut_to(std::string_view line, std::size_t width) noexcept {
  return width == 0 ? line : line.substr(0, width);
}

}  // namespace tensorpool::apps
