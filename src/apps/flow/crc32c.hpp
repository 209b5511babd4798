// CRC32C (Castagnoli), as RFC 3720 defines it: the content check between programs that both saw a frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorpool::apps {

[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes) noexcept;

}  // namespace tensorpool::apps
