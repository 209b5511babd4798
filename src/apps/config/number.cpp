#include "apps/config/number.hpp"

#include <charconv>
#include <cmath>

namespace tensorpool::apps {

std::optional<double> parse_finite(std::string_view text) noexcept {
  double value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = fault == std::errc{} && end == text.data() + text.size();
  return whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace tensorpool::apps
