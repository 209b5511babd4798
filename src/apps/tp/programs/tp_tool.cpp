// tp_tool COMMAND ...: the published tool's commands, done by `tp`.
#include "apps/support/command_line.hpp"
#include "apps/support/exit_code.hpp"
#include "apps/support/program.hpp"
#include "apps/tp/commands.hpp"
#include "apps/tp/published_tool.hpp"

namespace {

int main_of(int argc, char** argv) {
  using namespace tensorpool::apps;
  choose_error_format({argv, static_cast<std::size_t>(argc)});
  std::vector<std::string> given(argv + 1, argv + argc);
  if (given.size() > 1 && given.front() == "help") given = {given[1], "--help"};
  const std::string first = given.empty() ? "" : given.front();
  if (first == "--help" || first == "-h" || first == "help") return tell("tp_tool", tp::published_usage());
  if (first == "--version" || first == "-V" || first == "version") return tp::run_tp({"tp", "--version"});
  const auto arguments = tp::translate_published(given, process_environment());
  if (!arguments) return give_up("tp_tool", arguments.error());
  return tp::run_tp(*arguments);
}

}  // namespace

int main(int argc, char** argv) {
  return tensorpool::apps::run_program("tp_tool", [&] { return main_of(argc, argv); });
}
