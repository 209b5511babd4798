// Aeron's error state, turned into our Error. Private to the Aeron implementation.
#pragma once

#include <string>
#include <string_view>

#include "tensorpool/result.hpp"

namespace tensorpool::transport {

// Aeron's text without its source locations, on one line, safe for a log.
[[nodiscard]] std::string tidy_aeron_text(std::string_view text);

// The calling thread's last error.
[[nodiscard]] std::string last_aeron_text();

// The same as an Error whose message begins with `what`.
[[nodiscard]] Error last_aeron_error(std::string_view what);

// Aeron writes warnings to stderr by default; after this call it writes nothing. Process-wide, idempotent.
void silence_aeron() noexcept;

}  // namespace tensorpool::transport
