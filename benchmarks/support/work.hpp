// What a measure does with a payload when it really uses it: writes every 64-bit word, or reads every one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace tensorpool::bench {

// REQUIRES: 8-byte aligned. Bytes beyond the last whole word are left alone.
inline void write_all(std::span<std::byte> payload, std::uint64_t value) noexcept {
  auto* const words = reinterpret_cast<std::uint64_t*>(payload.data());
  for (std::size_t i = 0; i < payload.size() / sizeof(std::uint64_t); ++i) words[i] = value;
}

// The sum of all 64-bit words.
[[nodiscard]] inline std::uint64_t read_all(std::span<const std::byte> payload) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i + sizeof(std::uint64_t) <= payload.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, payload.data() + i, sizeof(word));
    sum += word;
  }
  return sum;
}

// Keeps the compiler from leaving out what led to `value`.
inline void use(std::uint64_t value) noexcept { asm volatile("" : : "r"(value) : "memory"); }

}  // namespace tensorpool::bench
