// Any file as a node's configuration, with any environment over it: it loads, or every problem is told with its place.
// What loads is judged as a driver would.
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "apps/config/node_config.hpp"
#include "fuzz/fuzz_input.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace tensorpool;

// A file of that content, of the same name each time.
std::string file_of(std::string_view text) {
  static const TempDir dir(fuzzing::scratch_prefix(), "/dev/shm");
  std::string path = dir.path() + "/node.toml";
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

// "NAME=value" lines.
std::map<std::string, std::string> variables_of(std::string_view lines) {
  std::map<std::string, std::string> variables;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    if (const std::size_t sign = line.find('='); sign != std::string_view::npos) {
      variables[std::string(line.substr(0, sign))] = line.substr(sign + 1);
    }
  }
  return variables;
}

}  // namespace

// The file, and after a NUL the environment.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(all.find('\0'), size);
  const auto variables = variables_of(end < size ? all.substr(end + 1) : std::string_view());
  apps::Environment environment;
  environment.get = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  const auto config = apps::load_node_config(file_of(all.substr(0, end)), environment);
  if (!config) {
    fuzzing::require(!config.error().message.empty());
    return 0;
  }
  std::vector<std::string> warnings;
  if (const Status judged = apps::check_driver(*config, warnings); !judged) {
    fuzzing::require(!judged.error().message.empty());
  }
  return 0;
}
