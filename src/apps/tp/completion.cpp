// tp completion
#include "apps/tp/completion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <vector>

#include "apps/flow/stats_json.hpp"
#include "apps/tp/commands.hpp"

namespace tensorpool::apps::tp {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<std::string> names_of(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands) {
    names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
  }
  return names;
}

// Calls visit(path, command) for `app` and all below it; the path is "tp driver run".
void walk(const CLI::App& app, const std::string& path,
          const std::function<void(const std::string&, const CLI::App&)>& visit) {
  visit(path, app);
  for (const CLI::App* command : commands_of(app)) {
    walk(*command, fmt::format("{} {}", path, command->get_name()), visit);
  }
}

std::string fish_quoted(std::string text) {
  for (std::size_t at = text.find('\''); at != std::string::npos; at = text.find('\'', at + 2)) {
    text.insert(at, 1, '\\');
  }
  return fmt::format("'{}'", text);
}

// When the words so far name `path` and no command below it.
std::string fish_condition(const std::string& path, const CLI::App& app) {
  std::vector<std::string> words;
  for (std::size_t from = path.find(' '); from != std::string::npos;) {
    const std::size_t to = path.find(' ', from + 1);
    words.push_back("__fish_seen_subcommand_from " + path.substr(from + 1, to - from - 1));
    from = to;
  }
  if (const auto below = names_of(commands_of(app)); !below.empty()) {
    words.push_back(fmt::format("not __fish_seen_subcommand_from {}", fmt::join(below, " ")));
  }
  return words.empty() ? "true" : fmt::format("{}", fmt::join(words, "; and "));
}

}  // namespace

std::string bash_completion(const CLI::App& top) {
  const std::string& name = top.get_name();
  std::vector<std::string> paths;
  std::string cases;
  walk(top, name, [&](const std::string& path, const CLI::App& command) {
    // The words after `tp help` are completed as those after `tp`.
    if (path != name + " help") paths.push_back(fmt::format("\"{}\"", path));
    cases += fmt::format("    \"{}\") words=\"{} {}\" ;;\n", path, fmt::join(names_of(commands_of(command)), " "),
                         fmt::join(options_of(command), " "));
  });
  return fmt::format(
      "# bash completion of {0}, made by: {0} completion bash\n"
      "_{0}() {{\n"
      "  local word words= path={0} current=${{COMP_WORDS[COMP_CWORD]}}\n"
      "  for word in \"${{COMP_WORDS[@]:1:$((COMP_CWORD - 1))}}\"; do\n"
      "    case \"$path $word\" in\n"
      "      {1}) path=\"$path $word\" ;;\n"
      "    esac\n"
      "  done\n"
      "  case \"$path\" in\n{2}  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "}}\n"
      "complete -o default -F _{0} {0}",  // default: file names where nothing else fits
      name, fmt::join(paths, "|"), cases);
}

std::string zsh_completion(const CLI::App& top) {
  return "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n" + bash_completion(top);
}

std::string fish_completion(const CLI::App& top) {
  const std::string& name = top.get_name();
  std::string out = fmt::format("# fish completion of {0}, made by: {0} completion fish", name);
  walk(top, name, [&](const std::string& path, const CLI::App& command) {
    const std::string when = fish_condition(path, command);
    for (const CLI::App* below : commands_of(command)) {
      out += fmt::format("\ncomplete -c {} -f -n '{}' -a {} -d {}", name, when, below->get_name(),
                         fish_quoted(below->get_description()));
    }
    for (const CLI::Option* option : command.get_options()) {
      for (const std::string& option_name : option->get_lnames()) {
        out += fmt::format("\ncomplete -c {} -n '{}' -l {} -d {}", name, when, option_name,
                           fish_quoted(option->get_description()));
      }
    }
  });
  return out;
}

void register_completion(Registry& registry) {
  const auto shell = std::make_shared<std::string>();
  registry
      .add(registry.top(), "completion", "Print the completion of a shell", "tp completion bash > ~/.tp-completion",
           [shell, &registry](const Invocation&) {
             const CLI::App& top = registry.top();
             print_line(*shell == "bash"  ? bash_completion(top)
                        : *shell == "zsh" ? zsh_completion(top)
                                          : fish_completion(top));
             return static_cast<int>(exit_ok);
           })
      .add_option("SHELL", *shell, "bash, zsh or fish")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->required();
}

}  // namespace tensorpool::apps::tp
