// Any command line of `tp`, and of the published tool: it is parsed, or what is wrong is told. Nothing is run.
#include <exception>
#include <string>
#include <vector>

#include "apps/tp/commands.hpp"
#include "apps/tp/published_tool.hpp"
#include "fuzz/fuzz_input.hpp"

namespace {

using namespace tensorpool;

std::vector<std::string> lines_of(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> lines(1);
  for (std::size_t i = 0; i < size && data[i] != 0; ++i) {
    if (data[i] == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += static_cast<char>(data[i]);
    }
  }
  return lines;
}

void parse(const std::vector<std::string>& arguments) {
  static apps::tp::Registry registry;
  static const bool registered = (apps::tp::register_commands(registry), true);
  fuzzing::require(registered);
  std::vector<const char*> argv{"tp"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  try {
    registry.top().parse(static_cast<int>(argv.size()), argv.data());
  } catch (const CLI::Success&) {  // --help
  } catch (const CLI::ParseError& error) {
    fuzzing::require(!std::string(error.what()).empty());
  }
}

}  // namespace

// An argument a line, without the program's name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::string> arguments = lines_of(data, size);
  parse(arguments);
  const auto translated = apps::tp::translate_published(arguments, apps::Environment{});
  if (translated) {
    parse({translated->begin() + 1, translated->end()});
  } else {
    fuzzing::require(!translated.error().message.empty());
  }
  return 0;
}
