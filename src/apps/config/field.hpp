// The keys of a table, each bound to the place its value goes to. A schema is a list of these and nothing else: reading
// a file, reading the environment, naming what is allowed, and printing what is set all go over the same list.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/config/report.hpp"
#include "apps/config/value.hpp"

namespace tensorpool::apps {

struct Field {
  std::string key;
  std::string expected;  // "an integer from 1 to 65535", for messages
  std::function<void(const Value&, const Site&, Report&)> assign;
  std::function<std::string()> show;  // what is set now, as TOML
  bool required = false;
  bool without_effect = false;  // known to the documents, read and kept, but nothing acts on it yet
};

// What a value says as one of our types; nothing when it is of another kind. Environment variables are converted here.
[[nodiscard]] std::optional<std::int64_t> to_integer(const Value& value);
[[nodiscard]] std::optional<double> to_number(const Value& value);  // finite
[[nodiscard]] std::optional<bool> to_boolean(const Value& value);
[[nodiscard]] std::optional<std::string> to_text(const Value& value);
[[nodiscard]] std::optional<std::vector<std::string>> to_texts(const Value& value);
// "a-b", "a" or [a, b] with 0 <= a <= b < 2^32; an empty text or array is a range that is switched off.
struct IdRange {
  bool off = true;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};
[[nodiscard]] std::optional<IdRange> to_range(const Value& value);

[[nodiscard]] Field boolean(std::string key, bool& target);
[[nodiscard]] Field text(std::string key, std::string& target);
// A text that no message and no list of keys shows.
[[nodiscard]] Field secret(std::string key, std::string& target);
[[nodiscard]] Field texts(std::string key, std::vector<std::string>& target);
[[nodiscard]] Field rate_hz(std::string key, double& target);
[[nodiscard]] Field choice(std::string key, std::string& target, std::vector<std::string> allowed);

// A field whose reading and showing are given.
template <class T>
[[nodiscard]] Field custom(std::string key, std::string expected, std::function<std::optional<T>(const Value&)> read,
                           std::function<void(T)> store, std::function<std::string()> show) {
  auto assign = [expected, read = std::move(read), store = std::move(store)](const Value& value, const Site& site,
                                                                             Report& report) {
    if (std::optional<T> found = read(value)) {
      store(*std::move(found));
    } else {
      report.wrong(site, value, expected);
    }
  };
  return {std::move(key), std::move(expected), std::move(assign), std::move(show)};
}

// "an integer from <least> to <most>"
[[nodiscard]] std::string integer_expected(std::int64_t least, std::int64_t most);

// Most that both a T and a TOML integer can hold.
template <class T>
inline constexpr std::int64_t most_of = std::in_range<std::int64_t>(std::numeric_limits<T>::max())
                                            ? static_cast<std::int64_t>(std::numeric_limits<T>::max())
                                            : std::numeric_limits<std::int64_t>::max();

// An integer in [least, most], stored multiplied by `unit` (1'000'000 for a key in ms kept in ns).
template <class T>
[[nodiscard]] Field integer(std::string key, T& target, std::int64_t least = 0, std::int64_t most = most_of<T>,
                            std::int64_t unit = 1) {
  return custom<std::int64_t>(
      std::move(key), integer_expected(least, most),
      [least, most](const Value& value) {
        std::optional<std::int64_t> found = to_integer(value);
        return found && *found >= least && *found <= most ? found : std::nullopt;
      },
      [&target, unit](std::int64_t value) { target = static_cast<T>(value * unit); },
      [&target, unit] { return std::to_string(static_cast<std::int64_t>(target) / unit); });
}

// Assigns every member of `table` to its field; unknown members and missing required ones are reported.
void assign_fields(const std::vector<Field>& fields, const Value& table, const Site& site, Report& report);

// A list of tables, such as payload_pools: `fields_of` binds the keys of one freshly made element.
template <class T>
[[nodiscard]] Field tables(std::string key, std::vector<T>& target, std::function<std::vector<Field>(T&)> fields_of);

[[nodiscard]] std::vector<std::string> keys_of(const std::vector<Field>& fields);
[[nodiscard]] std::string list_keys(const std::vector<Field>& fields);  // "a, b, c"
// The items of a list of tables; nothing when the value is something else. A variable's text is parsed as TOML.
[[nodiscard]] std::optional<std::vector<Value>> to_tables(const Value& value);
[[nodiscard]] std::string show_fields(const std::vector<Field>& fields);
[[nodiscard]] std::string show_texts(const std::vector<std::string>& texts);
[[nodiscard]] std::string show_text(const std::string& text);

template <class T>
Field tables(std::string key, std::vector<T>& target, std::function<std::vector<Field>(T&)> fields_of) {
  T example{};
  const std::string expected = "a list of tables with " + list_keys(fields_of(example));
  auto assign = [&target, fields_of, expected](const Value& value, const Site& site, Report& report) {
    const std::optional<std::vector<Value>> items = to_tables(value);
    if (!items) {
      report.wrong(site, value, expected);
      return;
    }
    target.clear();
    for (std::size_t i = 0; i < items->size(); ++i) {
      T element{};
      assign_fields(fields_of(element), (*items)[i], site.item(i, (*items)[i].line), report);
      target.push_back(std::move(element));
    }
  };
  auto show = [&target, fields_of] {
    std::string out;
    for (T& element : target) {
      out += (out.empty() ? "{ " : ", { ") + show_fields(fields_of(element)) + " }";
    }
    return "[" + out + "]";
  };
  return {std::move(key), expected, std::move(assign), std::move(show)};
}

}  // namespace tensorpool::apps
