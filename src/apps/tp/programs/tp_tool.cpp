// tp_tool COMMAND ...: the published tool's commands, done by `tp`.
#include <fmt/format.h>

#include "apps/tp/commands.hpp"
#include "apps/tp/published_tool.hpp"

int main(int argc, char** argv) {
  using namespace tensorpool::apps;
  const std::vector<std::string> given(argv + 1, argv + argc);
  if (given.empty() || given.front() == "--help" || given.front() == "-h") {
    fmt::print(given.empty() ? stderr : stdout, "{}", tp::published_usage());
    return given.empty() ? exit_usage : exit_ok;
  }
  const auto arguments = tp::translate_published(given, process_environment());
  if (!arguments) {
    fmt::print(stderr, "tp_tool: {}\n", arguments.error().message);
    return exit_code_of(arguments.error().code);
  }
  return tp::run_tp(*arguments);
}
