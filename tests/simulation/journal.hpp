// What happened in a world: the last lines for a reader, all of them as one digest, and the first invariant that broke.
#pragma once

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "simulation/random.hpp"

namespace tensorpool::simulation {

struct Violation {
  std::string invariant;  // I1 to I9, or "books"
  std::string what;
  int step = 0;
};

class Journal {
 public:
  template <class... Args>
  void note(fmt::format_string<Args...> format, Args&&... args) {
    std::string& line = lines_[written_++ % lines_.size()];
    line.clear();
    fmt::format_to(std::back_inserter(line), "{:>5}  ", step);
    fmt::format_to(std::back_inserter(line), format, std::forward<Args>(args)...);
    if (aloud) fmt::print("{}\n", line);
    for (const char c : line) mix(static_cast<unsigned char>(c));
  }
  void mix(std::uint64_t figure) noexcept { digest_ = (digest_ ^ figure) * 0x100000001B3; }
  // Only the first counts: what follows may come of it.
  template <class... Args>
  void violated(std::string_view invariant, fmt::format_string<Args...> format, Args&&... args) {
    if (violation_) return;
    violation_ = Violation{std::string(invariant), fmt::format(format, std::forward<Args>(args)...), step};
    note("VIOLATED {}: {}", violation_->invariant, violation_->what);
  }

  [[nodiscard]] const std::optional<Violation>& violation() const noexcept { return violation_; }
  [[nodiscard]] std::uint64_t digest() const noexcept { return mixed(digest_); }
  [[nodiscard]] std::string last_lines() const {
    std::string text;
    for (std::size_t i = written_ < lines_.size() ? 0 : written_ - lines_.size(); i < written_; ++i) {
      text += lines_[i % lines_.size()] + "\n";
    }
    return text;
  }

  int step = 0;
  bool aloud = false;  // every line goes to standard output too

 private:
  std::array<std::string, 60> lines_;
  std::size_t written_ = 0;
  std::uint64_t digest_ = 0xCBF29CE484222325;
  std::optional<Violation> violation_;
};

}  // namespace tensorpool::simulation
