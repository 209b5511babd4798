#include "support/allocation_counter.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local tensorpool::test::Allocations counted;

// Neither is inlined: the compiler would see free() meet what it takes for the library's operator new.
[[gnu::noinline]] void* take(std::size_t size) noexcept {
  ++counted.count;
  counted.bytes += size;
  return std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void give_back(void* memory) noexcept { std::free(memory); }

void* take_or_throw(std::size_t size) {
  if (void* memory = take(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return take_or_throw(size); }
void* operator new[](std::size_t size) { return take_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { give_back(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { give_back(memory); }

namespace tensorpool::test {

Allocations allocations_of_this_thread() noexcept { return counted; }

}  // namespace tensorpool::test
