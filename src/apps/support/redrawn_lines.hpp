// Lines on a terminal that are drawn again where they stood: the one mechanism of every live table. What is wider than
// the terminal is cut, because a wrapped line could not be drawn again; what is higher is left out, and counted. The
// size is read each time, and a terminal that was resized is cleared first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tensorpool::apps {

struct TerminalSize {
  std::size_t columns = 0;  // 0: it does not say
  std::size_t rows = 0;
  bool operator==(const TerminalSize&) const = default;
};

// Of standard output.
[[nodiscard]] TerminalSize terminal_size() noexcept;

// Whether standard output is a terminal that can redraw lines: not one of TERM=dumb.
[[nodiscard]] bool can_redraw() noexcept;

// Whether escape codes of colours may be written to standard output: on a terminal that can, unless NO_COLOR is set.
[[nodiscard]] bool may_color() noexcept;

enum class LineStyle : std::uint8_t { plain, heading, warning, error };

struct StyledLine {
  std::string text;  // ASCII without control characters
  LineStyle style = LineStyle::plain;
};

class RedrawnLines {
 public:
  void show(const std::vector<std::string>& lines);
  void show(const std::vector<StyledLine>& lines);
  // Whether the terminal has another size than when lines were shown last.
  [[nodiscard]] bool resized() const noexcept { return shown_ != 0 && terminal_size() != size_; }

 private:
  std::size_t shown_ = 0;
  TerminalSize size_;
  bool color_ = may_color();
};

// What show() writes; public for the tests. `above`: lines that stand there from the last time.
[[nodiscard]] std::string redrawn(const std::vector<StyledLine>& lines, TerminalSize size, std::size_t above,
                                  bool color);

// The part of an ASCII line that fits; all of it for a width of 0.
[[nodiscard]] std::string_view cut_to(std::string_view line, std::size_t width) noexcept;

}  // namespace tensorpool::apps
