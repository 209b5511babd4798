#include "transport/error_text.hpp"

#include <aeronc.h>

#include <charconv>
#include <cstdarg>
#include <cstdlib>
#include <mutex>

#include "base/error.hpp"
#include "base/log.hpp"

namespace tensorpool::transport {
namespace {

// Error codes that the media driver answers with; Aeron's public headers do not name them.
constexpr int invalid_channel = 1;
constexpr int generic_error = 11;
constexpr int storage_space = 12;

ErrorCode code_of(int aeron_code) noexcept {
  switch (std::abs(aeron_code)) {
    case invalid_channel:
      return ErrorCode::invalid_argument;
    case storage_space:
      return ErrorCode::no_space;
    case AERON_CLIENT_ERROR_DRIVER_TIMEOUT:
      return ErrorCode::timed_out;
    case AERON_CLIENT_ERROR_CLIENT_ILLEGAL_STATE:
      return ErrorCode::closed;
    default:
      return ErrorCode::io_error;
  }
}

// The media driver passes the operating system's errors on as generic ones whose text begins "(22) Invalid argument".
ErrorCode code_of(int aeron_code, std::string_view text) noexcept {
  if (std::abs(aeron_code) != generic_error) return code_of(aeron_code);
  const std::size_t open = text.find('(');
  int number = 0;
  if (open == std::string_view::npos) return ErrorCode::io_error;
  (void)std::from_chars(text.data() + open + 1, text.data() + text.size(), number);
  return code_of_errno(number);
}

// Lines that only say that there was an error.
bool says_nothing(std::string_view line) {
  return line.empty() || line.substr(0, 5) == "(-11)" || line.ends_with("registration error");
}

// Without a leading "[function, file.c:123] ".
std::string_view without_location(std::string_view line) {
  if (line.empty() || line.front() != '[') return line;
  const std::size_t end = line.find("] ");
  return end != std::string_view::npos && line.substr(0, end).find(".c:") != std::string_view::npos
             ? line.substr(end + 2)
             : line;
}

int discard(const char*, std::uint64_t, void*, const char*, std::va_list) { return 0; }

}  // namespace

std::string tidy_aeron_text(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = without_location(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (says_nothing(line)) continue;
    if (!result.empty()) result += "; ";
    result += line;
  }
  return escape(result);
}

std::string last_aeron_text() { return tidy_aeron_text(aeron_errmsg()); }

Error last_aeron_error(std::string_view what) {
  const std::string text = last_aeron_text();
  return make_error(code_of(aeron_errcode(), text), "{}: {}", what, text);
}

void silence_aeron() noexcept {
  static std::once_flag once;
  std::call_once(once, [] { aeron_set_fprintf_handler(&discard); });
}

}  // namespace tensorpool::transport
