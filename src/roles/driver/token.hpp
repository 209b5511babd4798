// The one comparison of secrets.
#pragma once

#include <string_view>

namespace tensorpool::driver {

// Whether the tokens are equal, in a time that depends on the offered one's length alone. An empty secret matches
// nothing.
[[nodiscard]] inline bool token_matches(std::string_view secret, std::string_view offered) noexcept {
  if (secret.empty()) {
    return false;
  }
  unsigned difference = secret.size() == offered.size() ? 0U : 1U;
  std::size_t at = 0;
  for (const char c : offered) {
    difference |= static_cast<unsigned char>(c) ^ static_cast<unsigned>(static_cast<unsigned char>(secret[at]));
    at = at + 1 == secret.size() ? 0 : at + 1;
  }
  volatile unsigned result = difference;  // keeps the compiler from leaving the loop early
  return result == 0;
}

}  // namespace tensorpool::driver
