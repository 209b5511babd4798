// Copies between private memory and a payload slot that another process may write or read at the same moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorpool::shm {

enum class CopyMode : std::uint8_t {
  words,   // relaxed 64-bit atomics: within the memory model
  opaque,  // memcpy behind a call that the compiler cannot see through
};

// The faster one for slots of `stride` bytes in a pool of `pool_bytes`. While the pool stays in the cache memcpy is
// (measured: 2 to 2.6 times); beyond it for frames of up to 256 KiB (1.1 times), while larger ones go better by words
// (1.0 to 1.2 times).
inline constexpr std::uint64_t cached_pool_bytes = 8ULL << 20;
inline constexpr std::uint64_t small_stride = 512ULL << 10;
[[nodiscard]] constexpr CopyMode copy_mode_for(std::uint64_t pool_bytes, std::uint64_t stride) noexcept {
  return pool_bytes <= cached_pool_bytes || stride < small_stride ? CopyMode::opaque : CopyMode::words;
}

// Writes `from` to the start of `slot`, between begin and commit.
// REQUIRES: from.size() <= slot.size().
void copy_into_slot(std::span<std::byte> slot, std::span<const std::byte> from, CopyMode mode) noexcept;

// Reads `slot` into the start of `to`. What arrived may be torn: ask still_valid() before using it.
// REQUIRES: slot.size() <= to.size().
void copy_from_slot(std::span<std::byte> to, std::span<const std::byte> slot, CopyMode mode) noexcept;

}  // namespace tensorpool::shm
