#include "shm/parking.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <climits>
#include <ctime>

namespace tensorpool::shm {
namespace {

static_assert(std::endian::native == std::endian::little, "the low half of a word is its first");

// Not private: the word is other processes' too.
long futex(const std::uint64_t* word, int operation, std::uint32_t value, const timespec* timeout) noexcept {
  return ::syscall(SYS_futex, word, operation, value, timeout, nullptr, 0);
}

}  // namespace

Parked park_while(const std::uint64_t* commit_word, std::uint64_t seen, Nanos longest) noexcept {
  const timespec timeout{static_cast<time_t>(longest / nanos_per_second),
                         static_cast<long>(longest % nanos_per_second)};
  if (futex(commit_word, FUTEX_WAIT, static_cast<std::uint32_t>(seen), &timeout) == 0) return Parked::woken;
  switch (errno) {
    case EAGAIN:
      return Parked::changed;
    case ETIMEDOUT:
      return Parked::timed_out;
    default:
      return Parked::refused;
  }
}

void wake_parked(const std::uint64_t* commit_word) noexcept {
  static_cast<void>(futex(commit_word, FUTEX_WAKE, INT_MAX, nullptr));
}

}  // namespace tensorpool::shm
