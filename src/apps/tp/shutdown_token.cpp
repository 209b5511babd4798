#include "apps/tp/shutdown_token.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace tensorpool::apps::tp {
namespace {

constexpr std::size_t longest_token = 4096;

Result<std::string> read_all(int fd, const std::string& name) {
  std::string text;
  std::array<char, 1024> part{};
  for (;;) {
    const ssize_t n = ::read(fd, part.data(), part.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "cannot read the token from {}", name);
    if (n == 0) break;
    text.append(part.data(), static_cast<std::size_t>(n));
    if (text.size() > longest_token + 2)
      return make_error(ErrorCode::invalid_argument, "{} is no token: it is longer than {} bytes", name, longest_token);
  }
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

Result<ShutdownToken> read_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) return errno_error(errno, "cannot read the token from {}", path);
  Result<std::string> text = read_all(file.get(), path);
  if (!text) return text.error();
  ShutdownToken token{*std::move(text)};
  if (S_ISREG(info.st_mode) && (info.st_mode & S_IROTH) != 0)
    token.warning =
        fmt::format("every user can read the token in {} (mode {:o}); chmod o-r it", path, info.st_mode & 07777U);
  return token;
}

Result<ShutdownToken> read_source(const TokenSource& source, const Environment& environment) {
  if (source.argument && source.file)
    return make_error(ErrorCode::invalid_argument, "--token and --token-file exclude each other; name one");
  if (source.argument) return ShutdownToken{*source.argument};
  if (source.file && *source.file == "-") {
    Result<std::string> text = read_all(STDIN_FILENO, "standard input");
    return text ? Result<ShutdownToken>(ShutdownToken{*std::move(text)}) : text.error();
  }
  if (source.file) return read_file(*source.file);
  if (const auto variable = environment.get(token_variable)) return ShutdownToken{*variable};
  return make_error(ErrorCode::invalid_argument,
                    "no token; name a file with --token-file (\"-\": standard input), or set {}", token_variable);
}

}  // namespace

Result<ShutdownToken> read_token(const TokenSource& source, const Environment& environment) {
  Result<ShutdownToken> token = read_source(source, environment);
  if (token && token->text.empty())
    return make_error(ErrorCode::invalid_argument, "the token is empty: a driver ignores an empty one");
  return token;
}

}  // namespace tensorpool::apps::tp
