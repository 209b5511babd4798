// Numeric command-line options, by unit: a duration in seconds, a rate in Hz, a count. Every program declares its
// numeric options with these functions, so that NaN, infinities, values that overflow nanoseconds and values that round
// to 0, which often means "no limit", never reach a command. A refused text is a CLI::ValidationError that says what is
// allowed.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "apps/config/number.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::apps {

inline constexpr double longest_seconds = 1e9;  // 31 years; twice that still fits a Nanos

// In nanoseconds; a positive duration is at least 1 ns.
// REQUIRES: `seconds` in [0, longest_seconds].
[[nodiscard]] Nanos to_nanos(double seconds) noexcept;
[[nodiscard]] constexpr double to_seconds(Nanos duration) noexcept { return static_cast<double>(duration) / 1e9; }

// The errors say "<text> is not <what is allowed>"; the name of the option is the caller's part.
[[nodiscard]] Result<Nanos> parse_seconds(std::string_view text, double least = 0, double most = longest_seconds);
// In [least, most]; also 0 if `or_zero`.
struct RateRange {
  bool or_zero = true;
  double least = slowest_rate_hz;
  double most = fastest_rate_hz;
};
[[nodiscard]] Result<double> parse_rate_hz(std::string_view text, const RateRange& range = {});

namespace number_option {

[[nodiscard]] Error not_allowed(std::string_view text, std::string_view allowed);
[[nodiscard]] std::string allowed_count(std::string_view least, std::string_view most, bool bounded);

template <class T>
struct Stored {
  using type = T;
};
template <class T>
struct Stored<std::optional<T>> {
  using type = T;
};

// Declares an option of `command` that `parse` turns into a value for `target`, a T or std::optional<T>; the latter has
// no default that --help could show.
template <class Target, class Parse, class Show>
CLI::Option* add_parsed(CLI::App& command, const std::string& name, Target& target, const std::string& description,
                        const Parse& parse, const Show& show) {
  CLI::Option* const option = command.add_option_function<std::string>(
      name,
      [&target, parse, name](const std::string& text) {
        const auto value = parse(text);
        if (!value) throw CLI::ValidationError(name, value.error().message);
        target = *value;
      },
      description);
  if constexpr (std::is_same_v<Target, typename Stored<Target>::type>) option->default_str(show(target));
  return option;
}

}  // namespace number_option

// The integer in [least, most] that `text` is as a whole.
template <std::integral T>
[[nodiscard]] Result<T> parse_count(std::string_view text, T least = 0, T most = std::numeric_limits<T>::max()) {
  T value{};
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault == std::errc{} && end == text.data() + text.size() && value >= least && value <= most) return value;
  return number_option::not_allowed(
      text, number_option::allowed_count(std::to_string(least), std::to_string(most),
                                         sizeof(T) < 8 || most != std::numeric_limits<T>::max()));
}

// `target` is a Nanos or std::optional<Nanos>.
template <class Target>
CLI::Option* add_seconds(CLI::App& command, const std::string& name, Target& target, const std::string& description,
                         double least = 0, double most = longest_seconds) {
  static_assert(std::is_same_v<typename number_option::Stored<Target>::type, Nanos>);
  return number_option::add_parsed(
             command, name, target, description,
             [least, most](const std::string& text) { return parse_seconds(text, least, most); },
             [](Nanos value) { return fmt::format("{}", to_seconds(value)); })
      ->type_name("SECONDS");
}

// `target` is a double or std::optional<double>.
template <class Target>
CLI::Option* add_rate_hz(CLI::App& command, const std::string& name, Target& target, const std::string& description,
                         const RateRange& range = {}) {
  static_assert(std::is_same_v<typename number_option::Stored<Target>::type, double>);
  return number_option::add_parsed(
             command, name, target, description,
             [range](const std::string& text) { return parse_rate_hz(text, range); },
             [](double value) { return fmt::format("{}", value); })
      ->type_name("HZ");
}

// `target` is an integer or an optional one; whatever its type cannot hold is refused.
template <class Target, class T = typename number_option::Stored<Target>::type>
CLI::Option* add_count(CLI::App& command, const std::string& name, Target& target, const std::string& description,
                       std::type_identity_t<T> least = 0,
                       std::type_identity_t<T> most = std::numeric_limits<T>::max()) {
  static_assert(std::integral<T>);
  return number_option::add_parsed(
             command, name, target, description,
             [least, most](const std::string& text) { return parse_count<T>(text, least, most); },
             [](T value) { return std::to_string(value); })
      ->type_name("N");
}

// `target` is an integer or an optional one. `what` names the id in messages: "a stream id".
template <class Target, class T = typename number_option::Stored<Target>::type>
CLI::Option* add_id(CLI::App& command, const std::string& name, Target& target, const std::string& description,
                    const std::string& what, std::type_identity_t<T> most) {
  return number_option::add_parsed(
             command, name, target, description,
             [what, most](const std::string& text) -> Result<T> {
               Result<T> id = parse_count<T>(text, 1, most);
               if (id) return id;
               return number_option::not_allowed(text, fmt::format("{}, 1 to {}", what, most));
             },
             [](T value) { return value == 0 ? std::string() : std::to_string(value); })
      ->type_name("ID");
}

// A tensorpool stream; the highest 32-bit value is the wire's null.
template <class Target>
CLI::Option* add_stream_id(CLI::App& command, const std::string& name, Target& target, const std::string& description) {
  return add_id(command, name, target, description, "a stream id", std::numeric_limits<std::uint32_t>::max() - 1);
}

// A stream of Aeron's, as the channels of the client use them.
template <class Target>
CLI::Option* add_aeron_stream_id(CLI::App& command, const std::string& name, Target& target,
                                 const std::string& description) {
  return add_id(command, name, target, description, "an Aeron stream id", std::numeric_limits<std::int32_t>::max());
}

}  // namespace tensorpool::apps
