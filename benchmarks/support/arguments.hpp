// The command line of a measuring program: PROGRAM MEASURE [--key value ...]. Every key that a measure asks for is one
// of its settings and stands in its result; a key that it does not ask for is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tensorpool/result.hpp"

namespace tensorpool::bench {

using Json = nlohmann::ordered_json;

class Arguments {
 public:
  // Throws std::invalid_argument when there is no measure, or a key without a value.
  Arguments(int argc, char** argv);

  [[nodiscard]] const std::string& measure() const noexcept { return measure_; }
  // The value of --key, or `otherwise`. Throws std::invalid_argument when it is no whole number >= 0.
  [[nodiscard]] std::size_t number(const std::string& key, std::size_t otherwise);
  [[nodiscard]] bool flag(const std::string& key, bool otherwise) { return number(key, otherwise ? 1 : 0) != 0; }
  [[nodiscard]] std::string text(const std::string& key, const std::string& otherwise);
  // Throws std::invalid_argument when a key was given that nobody asked for.
  void check() const;
  // What was asked for, with the values in force.
  [[nodiscard]] const Json& settings() const noexcept { return settings_; }

 private:
  std::string measure_;
  std::map<std::string, std::string> given_;
  std::set<std::string> asked_;
  Json settings_ = Json::object();
};

// The value, or its error thrown as std::runtime_error: a benchmark goes on with all of its parts or not at all.
template <class T>
[[nodiscard]] T need(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}
inline void need(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

// One of a program's measures: reads its settings, calls check(), runs, and returns its figures.
struct Measure {
  const char* name;
  Json (*run)(Arguments& arguments);
};

// Runs the measure that the command line names and prints its result as one JSON object on standard output. Returns the
// exit status; the error of a measure that fails goes to standard error.
int run_program(int argc, char** argv, std::initializer_list<Measure> measures);

}  // namespace tensorpool::bench
