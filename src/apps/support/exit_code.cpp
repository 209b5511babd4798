#include "apps/support/exit_code.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "apps/support/stop_signal.hpp"

namespace tensorpool::apps {

int give_up(std::string_view program, const Error& error) {
  if (error.code == ErrorCode::closed && stop_requested()) return exit_ok;
  fmt::print(stderr, "{}: {}\n", program, error.message);
  return exit_code_of(error.code);
}

}  // namespace tensorpool::apps
