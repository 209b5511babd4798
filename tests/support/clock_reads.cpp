#include "support/clock_reads.hpp"

#include "tensorpool/time.hpp"

namespace tensorpool::test {
namespace {

thread_local std::uint64_t reads = 0;

}  // namespace

std::uint64_t clock_reads_of_this_thread() noexcept { return reads; }

// The linker's names for the function, and for what stands in its place (--wrap).
Nanos true_monotonic_now() noexcept asm("__real__ZN10tensorpool13monotonic_nowEv");
Nanos counting_monotonic_now() noexcept asm("__wrap__ZN10tensorpool13monotonic_nowEv");

Nanos counting_monotonic_now() noexcept {
  ++reads;
  return true_monotonic_now();
}

}  // namespace tensorpool::test
