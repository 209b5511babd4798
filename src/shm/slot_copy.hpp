// Copies between private memory and a payload slot that another process may write or read at the same moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorpool::shm {

enum class CopyMode : std::uint8_t {
  words,   // relaxed 64-bit atomics: within the memory model, and faster than memcpy once the pool outgrows the cache
  opaque,  // memcpy behind a call that the compiler cannot see through: 1.5 times faster while the pool fits the cache
};

// A pool of at most this many bytes is taken to stay in the cache (measured: performance.md 5.6).
inline constexpr std::uint64_t cached_pool_bytes = 8ULL << 20;
[[nodiscard]] constexpr CopyMode copy_mode_for(std::uint64_t pool_bytes) noexcept {
  return pool_bytes <= cached_pool_bytes ? CopyMode::opaque : CopyMode::words;
}

// Writes `from` to the start of `slot`, between begin and commit.
// REQUIRES: from.size() <= slot.size().
void copy_into_slot(std::span<std::byte> slot, std::span<const std::byte> from, CopyMode mode) noexcept;

// Reads `slot` into the start of `to`. What arrived may be torn: ask still_valid() before using it.
// REQUIRES: slot.size() <= to.size().
void copy_from_slot(std::span<std::byte> to, std::span<const std::byte> slot, CopyMode mode) noexcept;

}  // namespace tensorpool::shm
