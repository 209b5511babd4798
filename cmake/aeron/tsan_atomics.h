// Aeron's atomics in words that the thread sanitizer understands; the tsan flavor includes this before every file.
// Aeron itself uses volatile accesses with inline assembly on x86-64 and with fences elsewhere. Both are correct
// machine code, and the sanitizer sees neither: each hand-over inside Aeron, and each through Aeron, would be reported
// as a race.
#ifndef TENSORPOOL_AERON_TSAN_ATOMICS_H
#define TENSORPOOL_AERON_TSAN_ATOMICS_H

#include <stdbool.h>

// Not <stdint.h>: no C library header may come before the _GNU_SOURCE that some files of Aeron define.
typedef __INT32_TYPE__ int32_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT64_TYPE__ uint64_t;

// These stand in for Aeron's two implementations.
#define AERON_ATOMIC64_GCC_X86_64_H
#define AERON_ATOMIC64_C11_H

#define AERON_GET_ACQUIRE(dst, src) ((dst) = __atomic_load_n(&(src), __ATOMIC_ACQUIRE))
#define AERON_SET_RELEASE(dst, src) __atomic_store_n(&(dst), (src), __ATOMIC_RELEASE)
#define AERON_GET_AND_ADD_INT64(original, dst, value) \
  ((original) = __atomic_fetch_add(&(dst), (value), __ATOMIC_SEQ_CST))
#define AERON_GET_AND_ADD_INT32(original, dst, value) \
  ((original) = __atomic_fetch_add(&(dst), (value), __ATOMIC_SEQ_CST))
#define AERON_DECL_ALIGNED(declaration, amt) declaration __attribute__((aligned(amt)))

inline bool aeron_cas_int64(volatile int64_t* dst, int64_t expected, int64_t desired) {
  return __atomic_compare_exchange_n(dst, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

inline bool aeron_cas_uint64(volatile uint64_t* dst, uint64_t expected, uint64_t desired) {
  return __atomic_compare_exchange_n(dst, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

inline bool aeron_cas_int32(volatile int32_t* dst, int32_t expected, int32_t desired) {
  return __atomic_compare_exchange_n(dst, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

inline void aeron_acquire(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
inline void aeron_release(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }

#endif
