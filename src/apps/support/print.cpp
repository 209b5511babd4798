#include "apps/support/print.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

#include "apps/support/stop_signal.hpp"
#include "base/error.hpp"
#include "base/printable.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::apps {
namespace {

// A pipe that is ready takes at least so many bytes without blocking.
constexpr std::size_t longest_write = 4096;
constexpr int poll_ms = 100;
constexpr Nanos last_words_ns = nanos_per_second;

std::atomic<int> output_fault{0};          // errno of the first failure on standard output
std::atomic<bool> reader_stalled[3] = {};  // by descriptor: it did not read its last words in time

// Whether to write now; false when the program is to end and the reader still does not read.
bool await_ready(int descriptor) noexcept {
  Nanos since = 0;
  pollfd one{descriptor, POLLOUT, 0};
  while (::poll(&one, 1, reader_stalled[descriptor].load() ? 0 : poll_ms) <= 0) {
    const Nanos now = monotonic_now();
    if (!stop_requested()) continue;
    if (since == 0) since = now;
    if (reader_stalled[descriptor].load() || now - since > last_words_ns) {
      reader_stalled[descriptor].store(true);
      return false;
    }
  }
  return true;  // or an error, which the write tells
}

// 0, or why not all of it was written.
int write_all(int descriptor, std::string_view text) noexcept {
  while (!text.empty()) {
    if (!await_ready(descriptor)) return ETIMEDOUT;
    const ssize_t written = ::write(descriptor, text.data(), std::min(text.size(), longest_write));
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      return errno;
    }
  }
  return 0;
}

int write_line(int descriptor, std::string_view line) noexcept {
  try {
    return write_all(descriptor, printable(line) + '\n');
  } catch (...) {
    return write_all(descriptor, "(a line is missing: no memory)\n");
  }
}

bool is_terminal_device(int descriptor) noexcept {
  struct stat status {};  // a terminal that has hung up says no more that it is one
  return ::fstat(descriptor, &status) == 0 && S_ISCHR(status.st_mode);
}

bool reader_went_away(int fault) noexcept {
  if (fault == EPIPE) return true;
  return fault == EIO && !hangup_is_ignored() && is_terminal_device(STDOUT_FILENO);
}

void note_output(int fault) noexcept {
  if (fault == 0) return;
  if (reader_went_away(fault)) return request_stop();
  int none = 0;
  output_fault.compare_exchange_strong(none, fault);
}

}  // namespace

void print_text(std::string_view text) noexcept { note_output(write_all(STDOUT_FILENO, text)); }

void print_line(std::string_view line) noexcept { note_output(write_line(STDOUT_FILENO, line)); }

void print_error(std::string_view line) noexcept { static_cast<void>(write_line(STDERR_FILENO, line)); }

void print_error_text(std::string_view text) noexcept { static_cast<void>(write_all(STDERR_FILENO, text)); }

Status output_status() {
  const int fault = output_fault.load();
  if (fault == 0) return {};
  return make_error(ErrorCode::io_error, "lines are missing on standard output: {}",
                    fault == ETIMEDOUT ? "its reader did not read" : std::strerror(fault));
}

}  // namespace tensorpool::apps
