// tp help | version
#include "apps/tp/help.hpp"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "apps/support/command_line.hpp"
#include "apps/tp/commands.hpp"

namespace tensorpool::apps::tp {
namespace {

// "TEXT:{text,json}" is text|json, "UINT:INT in [1 - 4096]" is UINT, a flag is empty.
std::string value_of(const CLI::Option& option) {
  if (option.get_type_size() == 0) return {};
  std::string type = option.get_type_name();
  const std::size_t colon = type.find(':');
  if (colon == std::string::npos) return type;
  if (type.compare(colon, 2, ":{") != 0 || type.back() != '}') return type.substr(0, colon);
  std::string choices = type.substr(colon + 2, type.size() - colon - 3);
  for (char& c : choices) c = c == ',' ? '|' : c;
  return choices;
}

std::vector<std::string> names_of(const CLI::Option& option) {
  if (option.get_positional()) return {option.get_name(true, false)};
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

Json describe_option(const CLI::Option& option) {
  return {{"names", names_of(option)},
          {"value", value_of(option)},
          {"default", option.get_default_str()},
          {"required", option.get_required()},
          {"positional", option.get_positional()},
          {"common", option.get_group() == common_options},
          {"description", option.get_description()}};
}

void describe_into(Json& list, const CLI::App& app, const std::string& path) {
  Json options = Json::array();
  for (const CLI::Option* option : app.get_options()) options.push_back(describe_option(*option));
  list.push_back({{"command", path}, {"description", app.get_description()}, {"options", std::move(options)}});
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    describe_into(list, *command, fmt::format("{} {}", path, command->get_name()));
  }
}

struct HelpArguments {
  std::vector<std::string> words;
  bool all = false;
};

struct Named {
  const CLI::App* app;
  std::string path;
};

Result<Named> command_named(const CLI::App& top, const std::vector<std::string>& words) {
  Named named{&top, top.get_name()};
  for (const std::string& word : words) {
    const auto found = named.app->get_subcommands([&](const CLI::App* command) { return command->check_name(word); });
    if (found.empty()) return Error{ErrorCode::invalid_argument, unknown_command(*named.app, named.path, word)};
    named = {found.front(), fmt::format("{} {}", named.path, word)};
  }
  return named;
}

int help(const Invocation& invocation, const CLI::App& top, const HelpArguments& arguments) {
  const Result<Named> named = command_named(top, arguments.words);
  if (!named) return fail(named.error());
  if (invocation.json()) {
    print_json(describe_commands(*named->app, named->path));
    return exit_ok;
  }
  std::string text =
      help_of(*named->app, named->path, arguments.all ? CLI::AppFormatMode::All : CLI::AppFormatMode::Normal);
  while (text.ends_with('\n')) text.pop_back();
  print_line(text);
  return exit_ok;
}

}  // namespace

Json describe_commands(const CLI::App& app, const std::string& path) {
  Json list = Json::array();
  describe_into(list, app, path);
  return list;
}

void register_help(Registry& registry) {
  const auto arguments = std::make_shared<HelpArguments>();
  CLI::App& command = registry.add(
      registry.top(), "help", "Show the help of a command", "tp help driver run",
      [arguments, &registry](const Invocation& invocation) { return help(invocation, registry.top(), *arguments); });
  command.add_option("COMMAND", arguments->words, "its words, such as driver run; none: tp itself");
  command.add_flag("--all", arguments->all, "with the options of all commands");

  registry.add(registry.top(), "version", "Show the version", "tp version", [](const Invocation& invocation) {
    invocation.json() ? print_json({{"version", TENSORPOOL_VERSION}}) : print_line("tp " TENSORPOOL_VERSION);
    return static_cast<int>(exit_ok);
  });
}

}  // namespace tensorpool::apps::tp
