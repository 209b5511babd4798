// Making errors: one place that turns a code or an errno into the library's Error.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "tensorpool/result.hpp"

namespace tensorpool {

template <class... Args>
[[nodiscard]] Error make_error(ErrorCode code, fmt::format_string<Args...> text, Args&&... args) {
  return {code, fmt::format(text, std::forward<Args>(args)...)};
}

// The kind of failure that an errno value stands for.
[[nodiscard]] ErrorCode code_of_errno(int errno_value) noexcept;

// "Permission denied", thread-safe.
[[nodiscard]] std::string errno_text(int errno_value);

// An error whose message ends in ": <what the operating system says>".
template <class... Args>
[[nodiscard]] Error errno_error(int errno_value, fmt::format_string<Args...> text, Args&&... args) {
  return {code_of_errno(errno_value), fmt::format(text, std::forward<Args>(args)...) + ": " + errno_text(errno_value)};
}

}  // namespace tensorpool
