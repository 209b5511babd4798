#include "apps/flow/pattern.hpp"

#include <algorithm>
#include <cstring>

#include "base/bytes.hpp"

namespace tensorpool::apps {
namespace {

constexpr std::size_t word_bytes = sizeof(std::uint64_t);
constexpr std::uint64_t word_step = 0x9E3779B97F4A7C15;  // odd: 2^64 different words before one repeats

// The finalizer of splitmix64: neighbouring sequences share no visible bits.
std::uint64_t first_word(std::uint64_t seq) noexcept {
  std::uint64_t z = seq + word_step;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

struct Progression {
  std::uint64_t start;
  std::uint64_t step;
};

Progression progression_of(std::uint64_t seq, Pattern pattern) noexcept {
  if (pattern == Pattern::byte) return {(seq % 256) * 0x0101010101010101, 0};
  return {first_word(seq), word_step};
}

std::optional<std::size_t> find_fault(std::span<const std::byte> frame, Progression pattern) noexcept {
  const std::size_t words = frame.size() / word_bytes;
  constexpr std::size_t block = 512;  // differences are gathered per block, so that the inner loop has no branch
  std::uint64_t expected = pattern.start;
  for (std::size_t begin = 0; begin < words; begin += block) {
    const std::size_t end = std::min(words, begin + block);
    std::uint64_t difference = 0;
    std::uint64_t word = expected;
    for (std::size_t i = begin; i < end; ++i, word += pattern.step) {
      difference |= load_le<std::uint64_t>(frame.data() + i * word_bytes) ^ word;
    }
    if (difference != 0) {
      std::size_t i = begin;
      while (load_le<std::uint64_t>(frame.data() + i * word_bytes) == expected) ++i, expected += pattern.step;
      return i * word_bytes;
    }
    expected = word;
  }
  const std::size_t done = words * word_bytes;
  if (std::memcmp(frame.data() + done, &expected, frame.size() - done) != 0) return done;
  return std::nullopt;
}

}  // namespace

std::optional<Pattern> pattern_from_string(std::string_view name) noexcept {
  if (name == "words") return Pattern::words;
  if (name == "byte") return Pattern::byte;
  return std::nullopt;
}

void fill_pattern(std::span<std::byte> part, std::uint64_t seq, Pattern pattern, std::size_t offset) noexcept {
  const auto [start, step] = progression_of(seq, pattern);
  const std::size_t words = part.size() / word_bytes;
  std::uint64_t word = start + offset / word_bytes * step;
  for (std::size_t i = 0; i < words; ++i, word += step) store_le(part.data() + i * word_bytes, word);
  const std::size_t done = words * word_bytes;
  if (done < part.size()) std::memcpy(part.data() + done, &word, part.size() - done);
}

std::optional<std::size_t> find_pattern_fault(std::span<const std::byte> frame, std::uint64_t seq) noexcept {
  if (frame.empty()) return std::nullopt;
  const auto fault = find_fault(frame, progression_of(seq, Pattern::words));
  if (!fault) return std::nullopt;
  // The other pattern is tried only when its first byte is there: a torn frame is not read twice.
  const bool may_be_byte = frame.front() == std::byte{static_cast<unsigned char>(seq % 256)};
  return may_be_byte ? find_fault(frame, progression_of(seq, Pattern::byte)) : fault;
}

}  // namespace tensorpool::apps
