#include "apps/support/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

namespace tensorpool::apps {

void keep_standard_streams() noexcept {
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    const bool closed = ::fcntl(number, F_GETFD) == -1 && errno == EBADF;
    // The lowest free number, which is this one.
    if (closed) static_cast<void>(::open("/dev/null", number == STDOUT_FILENO ? O_RDONLY : O_WRONLY));
  }
}

}  // namespace tensorpool::apps
