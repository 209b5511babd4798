#include "work.hpp"

#include <algorithm>
#include <numeric>

namespace tensorpool::bench {

void write_all(std::span<std::byte> payload, std::uint64_t value) noexcept {
  auto* const words = reinterpret_cast<std::uint64_t*>(payload.data());
  const std::size_t count = payload.size() / sizeof(std::uint64_t);
#pragma GCC unroll 8
  for (std::size_t i = 0; i < count; ++i) words[i] = value;
}

std::uint64_t read_all(std::span<const std::byte> payload) noexcept {
  const auto* const words = reinterpret_cast<const std::uint64_t*>(payload.data());
  const std::size_t count = payload.size() / sizeof(std::uint64_t);
  std::uint64_t sum = 0;
#pragma GCC unroll 8
  for (std::size_t i = 0; i < count; ++i) sum += words[i];
  return sum;
}

}  // namespace tensorpool::bench
