// What is wrong in a configuration: every problem with its file and line, or the environment variable it came from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/config/value.hpp"

namespace tensorpool::apps {

// Where a value comes from.
struct Site {
  std::string key;  // dotted: "driver.control_stream_id"
  int line = 0;
  std::string variable;  // the environment variable, when it is one

  // The site of a member or an item of this one.
  [[nodiscard]] Site below(std::string_view name, int at_line) const;
  [[nodiscard]] Site item(std::size_t index, int at_line) const;
};

class Report {
 public:
  explicit Report(std::string file) : file_(std::move(file)) {}

  void add(const Site& site, std::string_view what);
  // "<place>: <key>: expected <expected>, got <value>"
  void wrong(const Site& site, const Value& value, std::string_view expected);
  // The same with the kind of the value instead of its text, which may hold a secret.
  void wrong_kind(const Site& site, const Value& value, std::string_view expected);
  // "<place>: <key>: unknown key, did you mean "x"? [<table>] takes a, b, c"
  void unknown(const Site& site, std::string_view kind, std::string_view name, const std::vector<std::string>& known);

  [[nodiscard]] const std::string& file() const noexcept { return file_; }
  // In the order of their finding; of more than 100 the rest as a number.
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  std::string file_;
  static constexpr std::size_t most_problems = 100;

  std::vector<std::string> problems_;
  std::size_t omitted_ = 0;
};

}  // namespace tensorpool::apps
