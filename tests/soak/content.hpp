// What stands in the frames of the soak: it follows from stream, epoch and sequence, so a byte of any other frame, of
// any epoch, is found. A derived frame begins with the name of the frame that it was made from, and with that frame's
// first word.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "apps/flow/pattern.hpp"
#include "base/bytes.hpp"

namespace tensorpool::soak {

struct FrameName {
  std::uint64_t stream = 0;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
};

inline std::uint64_t key_of(const FrameName& name) noexcept {
  return (name.epoch * 0xD1342543DE82EF95 + name.stream) * 0xAF251AF3B0F025B5 + name.seq;
}
// Goes with the frame's descriptor; 0 would be none.
inline std::uint64_t trace_of(const FrameName& name) noexcept { return key_of(name) | 1; }

inline void fill(std::span<std::byte> payload, std::uint64_t key) noexcept {
  apps::fill_pattern(payload, key, apps::Pattern::words);
}
inline bool is_wrong(std::span<const std::byte> payload, std::uint64_t key) noexcept {
  return apps::find_pattern_fault(payload, key).has_value();
}

constexpr std::size_t origin_bytes = 32;
constexpr std::size_t derived_bytes = 4096;

struct Origin {
  FrameName name;
  std::uint64_t first_word = 0;
};

inline std::uint64_t key_of(const FrameName& derived, const Origin& origin) noexcept {
  return key_of(derived) ^ (key_of(origin.name) + origin.first_word);
}

inline void fill_derived(std::span<std::byte> payload, const FrameName& derived, const Origin& origin) noexcept {
  store_le(payload.data(), origin.name.stream);
  store_le(payload.data() + 8, origin.name.epoch);
  store_le(payload.data() + 16, origin.name.seq);
  store_le(payload.data() + 24, origin.first_word);
  fill(payload.subspan(origin_bytes), key_of(derived, origin));
}

// Where a derived frame comes from; nothing if it is not whole.
inline std::optional<Origin> origin_of(std::span<const std::byte> payload, const FrameName& derived) noexcept {
  if (payload.size() != derived_bytes) return std::nullopt;
  const auto word = [&](std::size_t at) { return load_le<std::uint64_t>(payload.data() + at); };
  const Origin origin{{word(0), word(8), word(16)}, word(24)};
  std::byte first[8];
  fill(first, key_of(origin.name));
  const bool read_right = load_le<std::uint64_t>(first) == origin.first_word;
  const bool whole = !is_wrong(payload.subspan(origin_bytes), key_of(derived, origin));
  return read_right && whole ? std::optional(origin) : std::nullopt;
}

}  // namespace tensorpool::soak
