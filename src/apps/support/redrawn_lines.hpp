// Lines on a terminal that are drawn again where they stood.
#pragma once

#include <string>
#include <vector>

namespace tensorpool::apps {

class RedrawnLines {
 public:
  void show(const std::vector<std::string>& lines);

 private:
  std::size_t shown_ = 0;
};

// Whether standard output is a terminal.
[[nodiscard]] bool on_terminal() noexcept;

}  // namespace tensorpool::apps
