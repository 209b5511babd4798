#include "work.hpp"

#include <algorithm>
#include <numeric>

namespace tensorpool::bench {

void write_all(std::span<std::byte> payload, std::uint64_t value) noexcept {
  std::fill_n(reinterpret_cast<std::uint64_t*>(payload.data()), payload.size() / sizeof(std::uint64_t), value);
}

std::uint64_t read_all(std::span<const std::byte> payload) noexcept {
  const auto* const words = reinterpret_cast<const std::uint64_t*>(payload.data());
  return std::accumulate(words, words + payload.size() / sizeof(std::uint64_t), std::uint64_t{0});
}

}  // namespace tensorpool::bench
