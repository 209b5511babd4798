#include "apps/config/environment.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "base/user.hpp"

namespace tensorpool::apps {
namespace {

Result<std::string> variable(const std::string& name, const Environment& environment) {
  std::optional<std::string> value = environment.get(name);
  if (name == "USER" && (!value || value->empty())) {
    return environment.user();
  }
  if (!value) {
    return Error{
        ErrorCode::invalid_config,
        fmt::format("the environment variable {0} is not set; set it, or write the value instead of ${{{0}}}", name)};
  }
  return *std::move(value);
}

}  // namespace

Environment process_environment() {
  return {[](const std::string& name) -> std::optional<std::string> {
            const char* value = std::getenv(name.c_str());
            return value == nullptr ? std::nullopt : std::optional<std::string>(value);
          },
          effective_user_name};
}

Result<std::string> expand(std::string_view text, const Environment& environment) {
  std::string out;
  while (!text.empty()) {
    const std::size_t open = text.find("${");
    out += text.substr(0, open);
    if (open == std::string_view::npos) {
      break;
    }
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos || close == open + 2) {
      return Error{ErrorCode::invalid_config, "\"${\" must be followed by a variable's name and \"}\""};
    }
    Result<std::string> value = variable(std::string(text.substr(open + 2, close - open - 2)), environment);
    if (!value) {
      return value.error();
    }
    out += *value;
    text.remove_prefix(close + 1);
  }
  return out;
}

}  // namespace tensorpool::apps
