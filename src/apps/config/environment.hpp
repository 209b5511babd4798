// What a configuration may ask of the process around it: variables and the user's name. Injected, so that tests have
// their own.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "tensorpool/result.hpp"

namespace tensorpool::apps {

struct Environment {
  std::function<std::optional<std::string>(const std::string&)> get = [](const std::string&) { return std::nullopt; };
  std::function<std::string()> user = [] { return std::string("nobody"); };  // of the effective user id
};

// The variables of this process and the name of its effective user (the number when it has no name).
[[nodiscard]] Environment process_environment();

// Replaces every ${NAME}. USER unset or empty: the effective user's name; another unset variable is an error naming it.
[[nodiscard]] Result<std::string> expand(std::string_view text, const Environment& environment);

}  // namespace tensorpool::apps
