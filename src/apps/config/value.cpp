#include "apps/config/value.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace tensorpool::apps {
namespace {

constexpr std::size_t max_described = 120;

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string write(const Value& value) {
  std::vector<std::string> parts;
  switch (value.kind) {
    case Value::Kind::boolean:
      return value.boolean ? "true" : "false";
    case Value::Kind::integer:
      return fmt::format("{}", value.integer);
    case Value::Kind::real:
      return fmt::format("{}", value.real);
    case Value::Kind::text:
    case Value::Kind::variable:
      return quoted(value.text);
    case Value::Kind::other:
      return value.text;
    case Value::Kind::array:
      for (const Value& item : value.items) {
        parts.push_back(write(item));
      }
      return fmt::format("[{}]", fmt::join(parts, ", "));
    case Value::Kind::table:
      for (const Member& member : value.members) {
        parts.push_back(fmt::format("{} = {}", member.key, write(member.value)));
      }
      return parts.empty() ? "{}" : fmt::format("{{ {} }}", fmt::join(parts, ", "));
  }
  return {};
}

}  // namespace

std::string describe(const Value& value) {
  std::string text = write(value);
  if (text.size() > max_described) {
    text.resize(max_described);
    text += "...";
  }
  return text;
}

std::string_view describe_kind(const Value& value) {
  switch (value.kind) {
    case Value::Kind::boolean:
      return "a boolean";
    case Value::Kind::integer:
      return "an integer";
    case Value::Kind::real:
      return "a real number";
    case Value::Kind::text:
    case Value::Kind::variable:
      return "a text";
    case Value::Kind::array:
      return "an array";
    case Value::Kind::table:
      return "a table";
    case Value::Kind::other:
      return "a date or time";
  }
  return "a value";
}

}  // namespace tensorpool::apps
