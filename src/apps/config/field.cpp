#include "apps/config/field.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "apps/config/number.hpp"

namespace tensorpool::apps {
namespace {

constexpr std::int64_t max_id = std::numeric_limits<std::uint32_t>::max();

std::optional<std::int64_t> integer_of(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// 5e9 is how people write five billion.
std::optional<std::int64_t> integer_of(double value) {
  return std::abs(value) < 9e15 && std::trunc(value) == value ? std::optional(static_cast<std::int64_t>(value))
                                                              : std::nullopt;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{}
                                         : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// What an environment variable says when it is written as TOML, such as [1, 2].
std::optional<Value> value_of(const std::string& variable) {
  Result<Value> parsed = parse_toml("value = " + variable, "variable");
  if (!parsed || parsed->members.size() != 1) {
    return std::nullopt;
  }
  return std::move(parsed->members.front().value);
}

std::optional<IdRange> checked_range(std::optional<std::int64_t> first, std::optional<std::int64_t> last) {
  if (!first || !last || *first < 0 || *last < *first || *last > max_id) {
    return std::nullopt;
  }
  return IdRange{false, static_cast<std::uint32_t>(*first), static_cast<std::uint32_t>(*last)};
}

}  // namespace

std::optional<std::int64_t> to_integer(const Value& value) {
  switch (value.kind) {
    case Value::Kind::integer:
      return value.integer;
    case Value::Kind::variable: {
      if (const auto whole = integer_of(trimmed(value.text))) return whole;
      const auto number = parse_finite(trimmed(value.text));
      return number ? integer_of(*number) : std::nullopt;
    }
    case Value::Kind::real:
      return integer_of(value.real);
    default:
      return std::nullopt;
  }
}

std::optional<double> to_number(const Value& value) {
  switch (value.kind) {
    case Value::Kind::integer:
      return static_cast<double>(value.integer);
    case Value::Kind::variable:
      return parse_finite(trimmed(value.text));
    case Value::Kind::real:
      return std::isfinite(value.real) ? std::optional(value.real) : std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<bool> to_boolean(const Value& value) {
  if (value.kind == Value::Kind::boolean) {
    return value.boolean;
  }
  if (value.kind == Value::Kind::variable && (value.text == "true" || value.text == "false")) {
    return value.text == "true";
  }
  return std::nullopt;
}

std::optional<std::string> to_text(const Value& value) {
  const bool is_text = value.kind == Value::Kind::text || value.kind == Value::Kind::variable;
  // A zero byte would cut the text short wherever it becomes a path or a channel.
  return is_text && value.text.find('\0') == std::string::npos ? std::optional(value.text) : std::nullopt;
}

std::optional<std::vector<std::string>> to_texts(const Value& value) {
  std::vector<std::string> out;
  if (value.kind == Value::Kind::variable) {
    std::string_view rest = value.text;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      out.emplace_back(trimmed(rest.substr(0, comma)));
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
    return out;
  }
  if (value.kind != Value::Kind::array) {
    return std::nullopt;
  }
  for (const Value& item : value.items) {
    std::optional<std::string> item_text = to_text(item);
    if (!item_text) {
      return std::nullopt;
    }
    out.push_back(*std::move(item_text));
  }
  return out;
}

std::optional<IdRange> to_range(const Value& value) {
  if (value.kind == Value::Kind::array) {
    if (value.items.empty()) {
      return IdRange{};
    }
    return value.items.size() == 2 ? checked_range(to_integer(value.items[0]), to_integer(value.items[1]))
                                   : std::nullopt;
  }
  const std::optional<std::string> all = to_text(value);
  if (!all || trimmed(*all).empty()) {
    return all ? std::optional(IdRange{}) : std::nullopt;
  }
  const std::string_view range = trimmed(*all);
  if (value.kind == Value::Kind::variable && range.front() == '[') {
    const std::optional<Value> array = value_of(*all);
    return array ? to_range(*array) : std::nullopt;
  }
  const std::size_t dash = range.find('-');
  const std::optional<std::int64_t> first = integer_of(trimmed(range.substr(0, dash)));
  return checked_range(first, dash == std::string_view::npos ? first : integer_of(trimmed(range.substr(dash + 1))));
}

std::optional<std::vector<Value>> to_tables(const Value& value) {
  if (value.kind == Value::Kind::variable) {
    const std::optional<Value> parsed = value_of(value.text);
    return parsed && parsed->kind == Value::Kind::array ? to_tables(*parsed) : std::nullopt;
  }
  const auto is_table = [](const Value& item) { return item.kind == Value::Kind::table; };
  if (value.kind != Value::Kind::array || !std::all_of(value.items.begin(), value.items.end(), is_table)) {
    return std::nullopt;
  }
  return value.items;
}

Field boolean(std::string key, bool& target) {
  return custom<bool>(
      std::move(key), "true or false", to_boolean, [&target](bool value) { target = value; },
      [&target] { return std::string(target ? "true" : "false"); });
}

Field text(std::string key, std::string& target) {
  return custom<std::string>(
      std::move(key), "a text in quotes", to_text, [&target](std::string value) { target = std::move(value); },
      [&target] { return show_text(target); });
}

Field secret(std::string key, std::string& target) {
  Field field = text(std::move(key), target);
  field.assign = [&target, expected = field.expected](const Value& value, const Site& site, Report& report) {
    if (std::optional<std::string> found = to_text(value)) {
      target = *std::move(found);
    } else {
      report.wrong_kind(site, value, expected);
    }
  };
  field.show = [&target] { return show_text(target.empty() ? "" : "(hidden)"); };
  return field;
}

Field texts(std::string key, std::vector<std::string>& target) {
  return custom<std::vector<std::string>>(
      std::move(key), "a list of texts such as [\"a\", \"b\"]", to_texts,
      [&target](std::vector<std::string> value) { target = std::move(value); },
      [&target] { return show_texts(target); });
}

Field rate_hz(std::string key, double& target) {
  return custom<double>(
      std::move(key), fmt::format("a rate in Hz, 0 or {:g} to {:.0f}", slowest_rate_hz, fastest_rate_hz),
      [](const Value& value) {
        const std::optional<double> found = to_number(value);
        return found && is_rate_hz(*found) ? found : std::nullopt;
      },
      [&target](double value) { target = value; }, [&target] { return fmt::format("{}", target); });
}

Field choice(std::string key, std::string& target, std::vector<std::string> allowed) {
  std::string expected = fmt::format("\"{}\"", fmt::join(allowed, "\" or \""));
  return custom<std::string>(
      std::move(key), std::move(expected),
      [allowed = std::move(allowed)](const Value& value) {
        std::optional<std::string> found = to_text(value);
        return found && std::find(allowed.begin(), allowed.end(), *found) != allowed.end() ? found : std::nullopt;
      },
      [&target](std::string value) { target = std::move(value); }, [&target] { return show_text(target); });
}

std::string integer_expected(std::int64_t least, std::int64_t most) {
  return most == std::numeric_limits<std::int64_t>::max() ? fmt::format("an integer from {} up", least)
                                                          : fmt::format("an integer from {} to {}", least, most);
}

void assign_fields(const std::vector<Field>& fields, const Value& table, const Site& site, Report& report) {
  for (const Member& member : table.members) {
    const Site at = site.below(member.key, member.line);
    const auto field = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.key == member.key; });
    if (field == fields.end()) {
      report.unknown(at, "key", member.key, keys_of(fields));
    } else {
      field->assign(member.value, at, report);
    }
  }
  for (const Field& field : fields) {
    const auto is_it = [&](const Member& member) { return member.key == field.key; };
    if (field.required && std::none_of(table.members.begin(), table.members.end(), is_it)) {
      report.add(site, fmt::format("{} is missing; it takes {}", field.key, field.expected));
    }
  }
}

std::vector<std::string> keys_of(const std::vector<Field>& fields) {
  std::vector<std::string> keys;
  for (const Field& field : fields) {
    keys.push_back(field.key);
  }
  return keys;
}

std::string list_keys(const std::vector<Field>& fields) { return fmt::format("{}", fmt::join(keys_of(fields), ", ")); }

std::string show_fields(const std::vector<Field>& fields) {
  std::vector<std::string> parts;
  for (const Field& field : fields) {
    parts.push_back(fmt::format("{} = {}", field.key, field.show()));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string show_text(const std::string& text) {
  Value value;
  value.kind = Value::Kind::text;
  value.text = text;
  return describe(value);
}

std::string show_texts(const std::vector<std::string>& texts) {
  std::vector<std::string> parts;
  for (const std::string& one : texts) {
    parts.push_back(show_text(one));
  }
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

}  // namespace tensorpool::apps
