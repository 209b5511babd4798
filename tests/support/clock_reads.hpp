// Counts the calls of monotonic_now(): a program that is linked with clock_reads.cpp and the option that its
// CMakeLists.txt names has each call pass here. What is counted is this thread's; what Aeron reads by itself is not.
#pragma once

#include <cstdint>

namespace tensorpool::test {

[[nodiscard]] std::uint64_t clock_reads_of_this_thread() noexcept;

}  // namespace tensorpool::test
