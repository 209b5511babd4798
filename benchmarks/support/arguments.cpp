#include "arguments.hpp"

#include <charconv>
#include <cstdio>
#include <exception>
#include <stdexcept>

namespace tensorpool::bench {

Arguments::Arguments(int argc, char** argv) {
  if (argc < 2) throw std::invalid_argument("which measure?");
  measure_ = argv[1];
  for (int i = 2; i < argc; i += 2) {
    const std::string key = argv[i];
    if (key.rfind("--", 0) != 0 || i + 1 == argc) throw std::invalid_argument("--key value is expected, not " + key);
    given_[key.substr(2)] = argv[i + 1];
  }
}

std::string Arguments::text(const std::string& key, const std::string& otherwise) {
  asked_.insert(key);
  const auto found = given_.find(key);
  std::string value = found == given_.end() ? otherwise : found->second;
  settings_[key] = value;
  return value;
}

std::size_t Arguments::number(const std::string& key, std::size_t otherwise) {
  const std::string given = text(key, std::to_string(otherwise));
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
  if (error != std::errc() || end != given.data() + given.size()) {
    throw std::invalid_argument("--" + key + " is a whole number, not " + given);
  }
  settings_[key] = value;
  return value;
}

void Arguments::check() const {
  for (const auto& [key, value] : given_) {
    if (!asked_.contains(key)) throw std::invalid_argument(measure_ + " has no setting --" + key);
  }
}

int run_program(int argc, char** argv, std::initializer_list<Measure> measures) {
  try {
    Arguments arguments(argc, argv);
    for (const Measure& measure : measures) {
      if (arguments.measure() != measure.name) continue;
      const Json figures = measure.run(arguments);
      Json result{{"measure", measure.name}, {"settings", arguments.settings()}};
      result.update(figures);
      std::puts(result.dump().c_str());
      return 0;
    }
    std::string known;
    for (const Measure& measure : measures) known += std::string(" ") + measure.name;
    throw std::invalid_argument("the measures are:" + known);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}

}  // namespace tensorpool::bench
