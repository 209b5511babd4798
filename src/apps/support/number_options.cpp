#include "apps/support/number_options.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/log.hpp"

namespace tensorpool::apps {
namespace {

constexpr std::size_t longest_quoted = 40;

}  // namespace

Nanos to_nanos(double seconds) noexcept {
  const auto whole = static_cast<Nanos>(seconds * 1e9);
  return seconds > 0 ? std::max<Nanos>(whole, 1) : 0;
}

Result<Nanos> parse_seconds(std::string_view text, double least, double most) {
  const auto value = parse_finite(text);
  if (value && *value >= least && *value <= most) return to_nanos(*value);
  return number_option::not_allowed(text, fmt::format("a number of seconds, {} to {:.0f}", least, most));
}

Result<double> parse_rate_hz(std::string_view text, const RateRange& range) {
  const auto value = parse_finite(text);
  if (value && *value == 0 && range.or_zero) return 0.0;
  if (value && *value >= range.least && *value <= range.most) return *value;
  return number_option::not_allowed(
      text, fmt::format("a rate in Hz, {}{:g} to {:.0f}", range.or_zero ? "0 or " : "", range.least, range.most));
}

namespace number_option {

Error not_allowed(std::string_view text, std::string_view allowed) {
  return make_error(ErrorCode::invalid_argument, "{} is not {}", escape(text, longest_quoted), allowed);
}

std::string allowed_count(std::string_view least, std::string_view most, bool bounded) {
  return bounded ? fmt::format("an integer from {} to {}", least, most) : fmt::format("an integer from {}", least);
}

}  // namespace number_option
}  // namespace tensorpool::apps
