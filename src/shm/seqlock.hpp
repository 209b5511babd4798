// The protocol by which one writer and any number of readers share a slot without locks: the commit word.
// word = seq << 1 | committed. The writer marks the slot in progress, writes header and payload, commits. A reader sees
// the committed word, copies or uses what is there, and accepts it only if the word is still the same afterwards.
//
// Every fence of tensorpool is in this file. The published text (wire 8.3: "release store, then payload; ... acquire
// re-load") orders nothing of what matters: a release store orders what precedes it, an acquire load what follows it.
// The form below is the one that an exhaustive search of interleavings accepts (tests/model); the bytes are the same,
// so peers interoperate. The four places that must pair are named A, B, C and D here and wherever they are spoken of.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "protocol/shm_layout.hpp"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace tensorpool::shm {

// The machine's atomics on plain mapped words. tests/model replaces this policy to search the interleavings of
// BasicSeqlock.
struct NativeAtomics {
  using Word = std::uint64_t;
  using Byte = std::uint8_t;
  static_assert(std::atomic_ref<Word>::is_always_lock_free,
                "processes share these words: no lock of one of them may guard them");
  static_assert(std::atomic_ref<Byte>::is_always_lock_free);
  static_assert(std::atomic_ref<Word>::required_alignment == sizeof(Word));

  template <class T>
  static T load_relaxed(const T& word) noexcept {
    return view(word).load(std::memory_order_relaxed);
  }
  template <class T>
  static T load_acquire(const T& word) noexcept {
    return view(word).load(std::memory_order_acquire);
  }
  template <class T>
  static void store_relaxed(T& word, T value) noexcept {
    view(word).store(value, std::memory_order_relaxed);
  }
  template <class T>
  static void store_release(T& word, T value) noexcept {
    view(word).store(value, std::memory_order_release);
  }
  static void fence_release() noexcept { std::atomic_thread_fence(std::memory_order_release); }
  static void fence_acquire() noexcept { std::atomic_thread_fence(std::memory_order_acquire); }

 private:
  // C++20 has no atomic_ref<const T>; a lock-free load never writes, so a read-only mapping serves as well.
  template <class T>
  static std::atomic_ref<T> view(const T& word) noexcept {
    return std::atomic_ref<T>(const_cast<T&>(word));
  }
};

template <class Atomics>
struct BasicSeqlock {
  using Word = typename Atomics::Word;

  // Writer: from here to commit() a reader of any sequence in this slot fails.
  // A: the fence keeps the stores of payload and header behind the mark. Its partner is D: a reader that saw any word
  // written after A sees the mark, or something newer, when it looks again.
  static void begin(Word& commit, std::uint64_t seq) noexcept {
    Atomics::store_relaxed(commit, protocol::in_progress_word(seq));
    Atomics::fence_release();
  }

  // Writer: the slot holds frame `seq`, whole. B: the release store publishes all that was written before; its partner
  // is C.
  static void commit(Word& commit, std::uint64_t seq) noexcept {
    Atomics::store_release(commit, protocol::committed_word(seq));
  }

  // Reader: the word as it is now. C: the acquire load lets everything that commit() published be seen; its partner is
  // B.
  [[nodiscard]] static std::uint64_t observe(const Word& commit) noexcept { return Atomics::load_acquire(commit); }

  // Reader, after its last use of header and payload: does the slot still hold what was observed?
  // D: the fence keeps the reads of the payload before this second look; its partner is A.
  [[nodiscard]] static bool unchanged(const Word& commit, std::uint64_t observed) noexcept {
    Atomics::fence_acquire();
    return Atomics::load_relaxed(commit) == observed;
  }

  // Reader of a frame in flight, which was told by a message that a part of `seq` is final: the slot is that frame's,
  // committed or not. What was told is there, because a message is sent with a release and received with an acquire.
  [[nodiscard]] static bool holds(std::uint64_t observed, std::uint64_t seq) noexcept {
    return protocol::seq_of(observed) == seq;
  }
  // And after its last use: is it still? D again, with A of the sequence that comes next.
  [[nodiscard]] static bool still_holds(const Word& commit, std::uint64_t seq) noexcept {
    Atomics::fence_acquire();
    return holds(Atomics::load_relaxed(commit), seq);
  }

  // Payload and header words cross between processes as relaxed atomics: a reader may meet a writer, and then only the
  // verdict of unchanged() says that the bytes are worthless; a plain copy would be a data race, and A and D would pair
  // with nothing.
  static void store_words(Word* to, const std::byte* from, std::size_t words) noexcept {
    for (std::size_t i = 0; i < words; ++i) {
      std::uint64_t value;
      std::memcpy(&value, from + i * sizeof value, sizeof value);
      Atomics::store_relaxed(to[i], value);
    }
  }
  // The same for a few words, as many as the array has, without a loop.
  template <std::size_t count>
  static void store_words(Word* to, const std::array<std::uint64_t, count>& values) noexcept {
    for_each_index<count>([&](std::size_t i) { Atomics::store_relaxed(to[i], values[i]); });
  }
  template <std::size_t count>
  static void load_words(std::array<std::uint64_t, count>& to, const Word* from) noexcept {
    for_each_index<count>([&](std::size_t i) { to[i] = Atomics::load_relaxed(from[i]); });
  }
  template <std::size_t count>
  [[nodiscard]] static bool equal_words(const Word* words, const std::array<std::uint64_t, count>& values) noexcept {
    std::uint64_t difference = 0;
    for_each_index<count>([&](std::size_t i) { difference |= Atomics::load_relaxed(words[i]) ^ values[i]; });
    return difference == 0;
  }
  static void load_words(std::byte* to, const Word* from, std::size_t words) noexcept {
    for (std::size_t i = 0; i < words; ++i) {
      const std::uint64_t value = Atomics::load_relaxed(from[i]);
      std::memcpy(to + i * sizeof value, &value, sizeof value);
    }
  }

 private:
  template <std::size_t count, class Each>
  static void for_each_index(Each&& each) noexcept {
    [&]<std::size_t... i>(std::index_sequence<i...>) { (each(i), ...); }
    (std::make_index_sequence<count>{});
  }
};

using Seqlock = BasicSeqlock<NativeAtomics>;

// The tail of a copy that is no whole word.
inline void store_bytes_relaxed(std::byte* to, const std::byte* from, std::size_t count) noexcept {
  auto* bytes = reinterpret_cast<std::uint8_t*>(to);
  for (std::size_t i = 0; i < count; ++i)
    NativeAtomics::store_relaxed(bytes[i], std::to_integer<std::uint8_t>(from[i]));
}
inline void load_bytes_relaxed(std::byte* to, const std::byte* from, std::size_t count) noexcept {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(from);
  for (std::size_t i = 0; i < count; ++i) to[i] = std::byte{NativeAtomics::load_relaxed(bytes[i])};
}

// Around stores that the atomics above did not make: a large memcpy, SIMD code, a device. On x86 non-temporal stores
// are outside the total store order, so they could pass the mark (call this after A) or be passed by the commit (call
// it before B).
inline void order_foreign_stores() noexcept {
#if defined(__x86_64__)
  _mm_sfence();
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

// Stops the compiler from moving plain memory accesses across it; A and D do the machine's part.
inline void compiler_barrier() noexcept { asm volatile("" ::: "memory"); }

}  // namespace tensorpool::shm
