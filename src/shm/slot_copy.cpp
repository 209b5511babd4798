#include "shm/slot_copy.hpp"

#include <cassert>
#include <cstring>

#include "shm/seqlock.hpp"

namespace tensorpool::shm {
namespace {

#if defined(__SANITIZE_THREAD__)
#define TENSORPOOL_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TENSORPOOL_THREAD_SANITIZER 1
#endif
#endif
#ifndef TENSORPOOL_THREAD_SANITIZER
#define TENSORPOOL_THREAD_SANITIZER 0
#endif

// glibc's memcpy goes to non-temporal stores somewhere above this and fences them only at its own end.
constexpr std::size_t foreign_store_bytes = 1ULL << 20;

bool is_word_aligned(const std::byte* address) noexcept {
  return reinterpret_cast<std::uintptr_t>(address) % sizeof(std::uint64_t) == 0;
}

void store_relaxed(std::byte* to, const std::byte* from, std::size_t count) noexcept {
  const std::size_t words = is_word_aligned(to) ? count / sizeof(std::uint64_t) : 0;
  const std::size_t done = words * sizeof(std::uint64_t);
  Seqlock::store_words(reinterpret_cast<std::uint64_t*>(to), from, words);
  store_bytes_relaxed(to + done, from + done, count - done);
}

void load_relaxed(std::byte* to, const std::byte* from, std::size_t count) noexcept {
  const std::size_t words = is_word_aligned(from) ? count / sizeof(std::uint64_t) : 0;
  const std::size_t done = words * sizeof(std::uint64_t);
  Seqlock::load_words(to, reinterpret_cast<const std::uint64_t*>(from), words);
  load_bytes_relaxed(to + done, from + done, count - done);
}

// A plain copy of memory that another process may be writing. The compiler must neither see into it nor move it: hence
// never inlined, and barriers on both sides; the machine's order is kept by A and D around it. What it reads may be
// torn, which the re-check of the commit word finds out. no_sanitize, because that race is the design.
#if defined(__GNUC__)
__attribute__((noinline, no_sanitize("thread")))
#endif
void copy_opaque(std::byte* to, const std::byte* from, std::size_t count) noexcept {
  compiler_barrier();
  std::memcpy(to, from, count);
  compiler_barrier();
}

// TSan intercepts memcpy itself and reports it in spite of no_sanitize, so under it every copy goes by words.
bool copies_opaquely(CopyMode mode) noexcept { return TENSORPOOL_THREAD_SANITIZER == 0 && mode == CopyMode::opaque; }

}  // namespace

void copy_into_slot(std::span<std::byte> slot, std::span<const std::byte> from, CopyMode mode) noexcept {
  assert(from.size() <= slot.size());
  if (from.empty()) return;
  if (!copies_opaquely(mode)) return store_relaxed(slot.data(), from.data(), from.size());
  const bool foreign = from.size() > foreign_store_bytes;
  if (foreign) order_foreign_stores();  // behind A: see seqlock.hpp
  copy_opaque(slot.data(), from.data(), from.size());
  if (foreign) order_foreign_stores();  // before B
}

void copy_from_slot(std::span<std::byte> to, std::span<const std::byte> slot, CopyMode mode) noexcept {
  assert(slot.size() <= to.size());
  if (slot.empty()) return;
  if (!copies_opaquely(mode)) return load_relaxed(to.data(), slot.data(), slot.size());
  copy_opaque(to.data(), slot.data(), slot.size());
}

}  // namespace tensorpool::shm
