#include "support/libc_calls.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>

namespace {

// Of the program itself, so that no access to it allocates.
thread_local constinit tensorpool::test::LibcCalls counted;

// The C library's own function of that name; looked up once, and never on the way of malloc.
template <class Function>
Function* next(const char* name) noexcept {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

// The C library's malloc under the names that it keeps for those who replace it.
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  ++counted.allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++counted.allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  ++counted.allocations;
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++counted.allocations;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  ++counted.allocations;
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static const auto lock = next<int(pthread_mutex_t*)>("pthread_mutex_lock");
  ++counted.locks;
  return lock(mutex);
}
int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  static const auto lock = next<int(pthread_mutex_t*)>("pthread_mutex_trylock");
  ++counted.locks;
  return lock(mutex);
}
int pthread_rwlock_rdlock(pthread_rwlock_t* mutex) noexcept {
  static const auto lock = next<int(pthread_rwlock_t*)>("pthread_rwlock_rdlock");
  ++counted.locks;
  return lock(mutex);
}
int pthread_rwlock_wrlock(pthread_rwlock_t* mutex) noexcept {
  static const auto lock = next<int(pthread_rwlock_t*)>("pthread_rwlock_wrlock");
  ++counted.locks;
  return lock(mutex);
}

}  // extern "C"

namespace tensorpool::test {

LibcCalls libc_calls_of_this_thread() noexcept { return counted; }

}  // namespace tensorpool::test
