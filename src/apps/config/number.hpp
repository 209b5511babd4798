// Numbers that people write: in options, configuration files and environment variables.
#pragma once

#include <optional>
#include <string_view>

namespace tensorpool::apps {

// The number that `text` is as a whole: decimal digits, a fraction, an exponent. Nothing for anything else, and for
// NaN, infinities and numbers that a double cannot tell from 0 or infinity.
[[nodiscard]] std::optional<double> parse_finite(std::string_view text) noexcept;

// A rate is 0, which each use of it explains, or within these; a period then fits nanoseconds.
inline constexpr double slowest_rate_hz = 1e-9;
inline constexpr double fastest_rate_hz = 1e9;
[[nodiscard]] constexpr bool is_rate_hz(double value) noexcept {
  return value == 0 || (value >= slowest_rate_hz && value <= fastest_rate_hz);
}

}  // namespace tensorpool::apps
