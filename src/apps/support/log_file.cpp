#include "apps/support/log_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

char log_path[PATH_MAX] = "";  // written before there are threads; a signal handler reads it

// 0, or the errno of what failed. O_NONBLOCK: a pipe that nobody reads is an error, not a wait.
int put_in_place_of_stderr() noexcept {
  const int file = ::open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0640);
  if (file < 0) return errno;
  const int fault = ::dup2(file, STDERR_FILENO) < 0 ? errno : 0;
  ::close(file);
  return fault;
}

}  // namespace

Status log_to_file(const std::string& path) {
  if (path.empty()) return {};
  if (path.size() >= sizeof log_path) {
    return make_error(ErrorCode::invalid_argument, "the path of the log file has {} bytes, more than {}", path.size(),
                      sizeof log_path - 1);
  }
  std::memcpy(log_path, path.c_str(), path.size() + 1);
  if (const int fault = put_in_place_of_stderr(); fault != 0) {
    log_path[0] = '\0';
    return errno_error(fault, "cannot open the log file {}", path);
  }
  return {};
}

void reopen_log_file() noexcept {
  if (log_path[0] == '\0') return;
  const int saved = errno;
  if (const int fault = put_in_place_of_stderr(); fault != 0) {
    const char* const parts[] = {
        "cannot open the log file again, and goes on with the old one: ", ::strerrordesc_np(fault), "\n"};
    for (const char* part : parts) {
      if (part != nullptr) static_cast<void>(::write(STDERR_FILENO, part, std::strlen(part)) < 0);
    }
  }
  errno = saved;
}

}  // namespace tensorpool::apps
