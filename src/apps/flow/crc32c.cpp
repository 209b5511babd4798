#include "apps/flow/crc32c.hpp"

#include <isa-l/crc.h>

#include <algorithm>

namespace tensorpool::apps {

std::uint32_t crc32c(std::span<const std::byte> bytes) noexcept {
  unsigned int crc = 0xFFFFFFFF;
  while (!bytes.empty()) {
    const std::size_t length = std::min<std::size_t>(bytes.size(), 1U << 30);  // the library counts in int
    // The library's parameter lacks its const; it only reads.
    auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
    crc = crc32_iscsi(data, static_cast<int>(length), crc);
    bytes = bytes.subspan(length);
  }
  return ~crc;
}

}  // namespace tensorpool::apps
