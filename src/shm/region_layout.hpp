// Where the regions of one epoch lie and how they are cut: what an attach response or an announce says, in plain
// values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tensorpool::shm {

// More pools than any layout needs; a message that lists more is refused before a file is opened.
inline constexpr std::size_t max_pools = 64;

struct PoolLayout {
  std::uint16_t pool_id = 0;
  std::uint32_t stride_bytes = 0;  // a non-zero multiple of 64
  std::string path;
  bool operator==(const PoolLayout&) const = default;
};

struct RegionLayout {
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint32_t layout_version = 1;
  std::uint32_t nslots = 0;  // a power of two, of the ring and of every pool
  std::string header_path;
  std::vector<PoolLayout> pools;
  bool require_hugepages = false;  // refuse a region that is not on hugetlbfs
  bool operator==(const RegionLayout&) const = default;
};

}  // namespace tensorpool::shm
