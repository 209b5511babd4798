// Where `tp driver shutdown` takes the token from. An argument is visible to all users of the machine while the command
// runs; a file, standard input and an environment variable are not.
#pragma once

#include <optional>
#include <string>

#include "apps/config/environment.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::apps::tp {

inline constexpr const char* token_variable = "TENSORPOOL_SHUTDOWN_TOKEN";

struct TokenSource {
  std::optional<std::string> argument;  // --token
  std::optional<std::string> file;      // --token-file; "-" is standard input
};

struct ShutdownToken {
  std::string text;
  std::string warning{};  // empty, or what makes the token less secret than it should be
};

// The token: of the one source that was given, else of the variable. A line end at the end of a file is not part of it.
// Errors: none or two sources, an empty token, or a file that cannot be read or is longer than 4096 bytes. No error
// shows what was read.
[[nodiscard]] Result<ShutdownToken> read_token(const TokenSource& source, const Environment& environment);

}  // namespace tensorpool::apps::tp
