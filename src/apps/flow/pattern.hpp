// Frame contents that follow from the sequence number alone, so that whoever receives a frame can check every byte of
// it without having seen its producer. Any mixture of two frames is recognized.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tensorpool::apps {

enum class Pattern : std::uint8_t {
  words,  // 64-bit words: a hash of the sequence plus a multiple of the word's index; no two words alike
  byte,   // every byte is sequence % 256, as the example programs write it
};
[[nodiscard]] std::optional<Pattern> pattern_from_string(std::string_view name) noexcept;

// `part` lies `offset` bytes into the frame. REQUIRES: a multiple of 8.
void fill_pattern(std::span<std::byte> part, std::uint64_t seq, Pattern pattern, std::size_t offset = 0) noexcept;

// Offset of a byte that is wrong (within a word of the first one), or nothing if the frame is one of the patterns of
// `seq`.
[[nodiscard]] std::optional<std::size_t> find_pattern_fault(std::span<const std::byte> frame,
                                                            std::uint64_t seq) noexcept;

}  // namespace tensorpool::apps
