#include "base/random.hpp"

#include <sys/random.h>

#include "tensorpool/time.hpp"

namespace tensorpool {

std::uint64_t random_u64() noexcept {
  std::uint64_t value = 0;
  if (::getrandom(&value, sizeof value, GRND_NONBLOCK) == static_cast<ssize_t>(sizeof value)) return value;
  // Only before the kernel's pool is seeded, early in a boot: ids must differ, they need not be secret.
  value = static_cast<std::uint64_t>(monotonic_now()) ^ (static_cast<std::uint64_t>(realtime_now()) << 20);
  return value * 0x9E3779B97F4A7C15ULL;
}

std::uint32_t random_nonzero_u32() noexcept {
  for (;;) {
    if (const auto value = static_cast<std::uint32_t>(random_u64()); value != 0) return value;
  }
}

}  // namespace tensorpool
