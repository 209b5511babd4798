// Counts this thread's calls of the C library that a frame must not cost: allocations (malloc and its kin, which
// operator new calls too) and locks. A program that is linked with libc_calls.cpp has each call pass here, Aeron's
// included. Not with sanitizers: those take malloc themselves.
#pragma once

#include <cstddef>

namespace tensorpool::test {

struct LibcCalls {
  std::size_t allocations = 0;
  std::size_t locks = 0;
  bool operator==(const LibcCalls&) const = default;
};

[[nodiscard]] LibcCalls libc_calls_of_this_thread() noexcept;

template <class Work>
[[nodiscard]] LibcCalls libc_calls_of(Work&& work) {
  const LibcCalls before = libc_calls_of_this_thread();
  work();
  const LibcCalls after = libc_calls_of_this_thread();
  return {after.allocations - before.allocations, after.locks - before.locks};
}

}  // namespace tensorpool::test
