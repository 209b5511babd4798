#include "arguments.hpp"

#include <charconv>
#include <cstdio>
#include <cstring>
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

namespace {

constexpr int usage_status = 2;

int print_usage(const char* program, std::initializer_list<Measure> measures) {
  std::string text = std::string("Usage: ") + program + " MEASURE [--SETTING VALUE]...\n\nMeasures:\n";
  for (const Measure& measure : measures) text += std::string("  ") + measure.name + "\n";
  text += "\nThe result is one JSON object with the settings that a measure has. ./run bench runs them all.\n";
  return std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace

int run_program(int argc, char** argv, std::initializer_list<Measure> measures) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--help") == 0 || std::strcmp(argv[i], "-h") == 0) return print_usage(argv[0], measures);
  }
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
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return usage_status;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}

}  // namespace tensorpool::bench
