#include "apps/support/exit_code.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/support/print.hpp"
#include "apps/support/stop_signal.hpp"

namespace tensorpool::apps {
namespace {

bool errors_as_json = false;  // set once, before there are threads

// "invalid configuration" is invalid_configuration.
std::string identifier(ErrorCode code) {
  std::string name(to_string(code));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ' ' || c == '/'; }, '_');
  return name;
}

}  // namespace

int give_up(std::string_view program, const Error& error) {
  if (error.code == ErrorCode::closed && stop_requested()) return exit_ok;
  print_error(fmt::format("{}: {}", program, error.message));
  if (errors_as_json) print_line(error_json(error));
  return exit_code_of(error.code);
}

void choose_error_format(std::span<const char* const> arguments) {
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--") return;
    const bool next_is_json = i + 1 < arguments.size() && std::string_view(arguments[i + 1]) == "json";
    errors_as_json = errors_as_json || argument == "--format=json" || (argument == "--format" && next_is_json);
  }
}

std::string error_json(const Error& error) {
  const nlohmann::ordered_json json{
      {"error", {{"code", identifier(error.code)}, {"message", error.message}, {"status", exit_code_of(error.code)}}}};
  constexpr bool only_ascii = true;  // what is not printable is escaped
  return json.dump(-1, ' ', only_ascii, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace tensorpool::apps
