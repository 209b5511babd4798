#pragma once

#include <cstddef>

// A test program that is linked with allocation_counter.cpp has a counting operator new. What is counted is this
// thread's.
namespace tensorpool::test {

struct Allocations {
  std::size_t count = 0;
  std::size_t bytes = 0;
};

[[nodiscard]] Allocations allocations_of_this_thread() noexcept;

template <class Work>
[[nodiscard]] Allocations allocations_of(Work&& work) {
  const Allocations before = allocations_of_this_thread();
  work();
  const Allocations after = allocations_of_this_thread();
  return {after.count - before.count, after.bytes - before.bytes};
}

}  // namespace tensorpool::test
