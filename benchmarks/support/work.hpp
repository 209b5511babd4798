// What a measure does with a payload when it really uses it: writes every 64-bit word, or reads every one. Compiled
// with -O3, that is with vector instructions, so that memory is what is measured, as for the other libraries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorpool::bench {

// Bytes beyond the last whole word are left alone. REQUIRES: 8-byte aligned.
void write_all(std::span<std::byte> payload, std::uint64_t value) noexcept;

// The sum of all whole 64-bit words. REQUIRES: 8-byte aligned.
[[nodiscard]] std::uint64_t read_all(std::span<const std::byte> payload) noexcept;

// Keeps the compiler from leaving out what led to `value`.
inline void use(std::uint64_t value) noexcept { asm volatile("" : : "r"(value) : "memory"); }

}  // namespace tensorpool::bench
