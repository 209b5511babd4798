#include <ctime>

#include "tensorpool/time.hpp"

namespace tensorpool {
namespace {

Nanos read_clock(clockid_t id) noexcept {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<Nanos>(now.tv_sec) * nanos_per_second + now.tv_nsec;
}

}  // namespace

Nanos monotonic_now() noexcept { return read_clock(CLOCK_MONOTONIC); }
Nanos realtime_now() noexcept { return read_clock(CLOCK_REALTIME); }

}  // namespace tensorpool
