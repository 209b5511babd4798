// Lines on a terminal that are drawn again where they stood. What is wider than the terminal is cut: a line that wraps
// would not be one line when it is drawn again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tensorpool::apps {

class RedrawnLines {
 public:
  void show(const std::vector<std::string>& lines);

 private:
  std::size_t shown_ = 0;
};

// The part of an ASCII line that fits; all of it for a width of 0.
[[nodiscard]] std::string_view cut_to(std::string_view line, std::size_t width) noexcept;

// Whether standard output is a terminal.
[[nodiscard]] bool on_terminal() noexcept;

}  // namespace tensorpool::apps
