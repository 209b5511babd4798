// Any 64 bytes as a superblock: what is accepted encodes to the same bytes and obeys the rules that shm relies on.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "protocol/shm_layout.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tensorpool::protocol;
  std::array<std::byte, superblock_bytes> bytes{};
  if (size != bytes.size()) return 0;
  std::memcpy(bytes.data(), data, size);
  const auto superblock = decode_superblock(bytes);
  if (!superblock) {
    if (to_string(superblock.error()).empty()) std::abort();
    return 0;
  }

  std::array<std::byte, superblock_bytes> again{};
  encode_superblock(*superblock, again);
  if (again != bytes) std::abort();
  const bool is_ring = superblock->region_type == RegionType::header_ring;
  if (!is_valid_nslots(superblock->nslots)) std::abort();
  if (!is_ring && !is_valid_stride(superblock->stride_bytes)) std::abort();
  if (is_ring && superblock->slot_bytes != header_slot_bytes) std::abort();
  return 0;
}
