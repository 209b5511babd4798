#include "shm/region_set.hpp"

#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "base/log.hpp"
#include "protocol/shm_layout.hpp"
#include "shm/seqlock.hpp"
#include "shm/system_calls.hpp"

namespace tensorpool::shm {
namespace {

// One region as the layout wants it.
struct Wanted {
  const std::string& path;
  protocol::RegionType type;
  std::uint16_t pool_id;
  std::uint32_t slot_bytes;    // 256, or the stride
  std::uint32_t stride_bytes;  // 0 for the ring
};

Error refuse_region(const std::string& path, const std::string& why) {
  return make_error(ErrorCode::protocol_error, "refused region {}: {}", escape(path), why);
}

// Every superblock field against the layout; the first that differs.
std::optional<std::string> difference(const protocol::Superblock& found, const RegionLayout& layout,
                                      const Wanted& wanted) {
  const auto differs = [](std::string_view field, std::uint64_t is, std::uint64_t should_be) {
    return fmt::format("superblock {} is {}, the layout says {}", field, is, should_be);
  };
  if (found.layout_version != layout.layout_version)
    return differs("layout_version", found.layout_version, layout.layout_version);
  if (found.epoch != layout.epoch) return differs("epoch", found.epoch, layout.epoch);
  if (found.stream_id != layout.stream_id) return differs("stream_id", found.stream_id, layout.stream_id);
  if (found.region_type != wanted.type) {
    return differs("region_type", static_cast<std::uint64_t>(found.region_type),
                   static_cast<std::uint64_t>(wanted.type));
  }
  if (found.pool_id != wanted.pool_id) return differs("pool_id", found.pool_id, wanted.pool_id);
  if (found.nslots != layout.nslots) return differs("nslots", found.nslots, layout.nslots);
  if (found.stride_bytes != wanted.stride_bytes)
    return differs("stride_bytes", found.stride_bytes, wanted.stride_bytes);
  const bool unstated =
      wanted.type == protocol::RegionType::payload_pool && found.slot_bytes == protocol::unstated_slot_bytes;
  if (found.slot_bytes != wanted.slot_bytes && !unstated)
    return differs("slot_bytes", found.slot_bytes, wanted.slot_bytes);
  return std::nullopt;
}

std::optional<Error> check_limits(const RegionLayout& layout) {
  const auto bad = [&](const std::string& why) {
    return make_error(ErrorCode::protocol_error, "refused the layout of stream {} epoch {}: {}", layout.stream_id,
                      layout.epoch, why);
  };
  if (layout.layout_version != protocol::layout_version) {
    return make_error(ErrorCode::unsupported, "stream {} epoch {} has layout version {}; this build speaks {}",
                      layout.stream_id, layout.epoch, layout.layout_version, protocol::layout_version);
  }
  if (!protocol::is_valid_nslots(layout.nslots))
    return bad(fmt::format("nslots is {}, which is no power of two", layout.nslots));
  if (layout.pools.empty()) return bad("it has no payload pool");
  if (layout.pools.size() > max_pools)
    return bad(fmt::format("it has {} pools, at most {} are allowed", layout.pools.size(), max_pools));
  for (std::size_t i = 0; i < layout.pools.size(); ++i) {
    const PoolLayout& pool = layout.pools[i];
    if (!protocol::is_valid_stride(pool.stride_bytes)) {
      return bad(
          fmt::format("the stride of pool {} is {}, which is no multiple of 64", pool.pool_id, pool.stride_bytes));
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (layout.pools[j].pool_id == pool.pool_id) return bad(fmt::format("pool id {} occurs twice", pool.pool_id));
    }
  }
  return std::nullopt;
}

std::optional<Error> check_file(int file, const RegionLayout& layout, const Wanted& wanted) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return errno_error(errno, "cannot examine region {}", escape(wanted.path));
  const std::uint64_t needed = protocol::region_bytes(layout.nslots, wanted.slot_bytes);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size < needed) {
    return refuse_region(wanted.path, fmt::format("the file has {} bytes, {} slots of {} need {}", size, layout.nslots,
                                                  wanted.slot_bytes, needed));
  }
  struct statfs file_system {};
  if (!layout.require_hugepages) return std::nullopt;
  if (::fstatfs(file, &file_system) != 0)
    return errno_error(errno, "cannot ask for the file system of region {}", escape(wanted.path));
  if (!is_hugetlbfs(file_system)) {
    return make_error(ErrorCode::unsupported,
                      "refused region {}: huge pages are required, but it does not lie on hugetlbfs",
                      escape(wanted.path));
  }
  return std::nullopt;
}

// From a private copy: the activity word changes while others read.
Expected<protocol::Superblock, protocol::SuperblockFault> read_superblock(const Mapping& mapping) noexcept {
  alignas(8) std::array<std::byte, protocol::superblock_bytes> copy;
  Seqlock::load_words(copy.data(), reinterpret_cast<const std::uint64_t*>(mapping.data()),
                      copy.size() / sizeof(std::uint64_t));
  return protocol::decode_superblock(copy);
}

// A tenth of a second, which the conductor can spare; a larger ring faults its pages in by its first lap.
constexpr std::uint64_t populated_at_most = std::uint64_t{1} << 30;

bool is_reserved(int file) noexcept {
  struct stat status {};
  return ::fstat(file, &status) == 0 && status.st_blocks * 512 >= status.st_size;
}

// `budget`: bytes that may still be populated.
Result<Mapping> map_region(const RegionLayout& layout, const Wanted& wanted, Access access, const PathPolicy& policy,
                           std::uint64_t& budget) {
  const Result<UniqueFd> file = open_region(wanted.path, access, policy);
  if (!file) return file.error();
  if (auto error = check_file(file->get(), layout, wanted)) return *std::move(error);
  Result<Mapping> mapping = Mapping::map(file->get(), protocol::region_bytes(layout.nslots, wanted.slot_bytes), access);
  if (!mapping)
    return Error{mapping.error().code, fmt::format("region {}: {}", escape(wanted.path), mapping.error().message)};

  const auto found = read_superblock(*mapping);
  if (!found) return refuse_region(wanted.path, fmt::format("superblock: {}", to_string(found.error())));
  if (const auto why = difference(*found, layout, wanted)) return refuse_region(wanted.path, *why);
  if (mapping->size() <= budget && is_reserved(file->get())) {
    budget -= mapping->size();
    mapping->populate(access);
  }
  return mapping;
}

std::uint64_t* activity_word(const Mapping& mapping) noexcept {
  return reinterpret_cast<std::uint64_t*>(mapping.data() + protocol::activity_timestamp_offset);
}

}  // namespace

RegionSet::RegionSet(const RegionLayout& layout, Access access)
    : layout_(layout), access_(access), nslots_(layout.nslots), slot_mask_(std::uint64_t{layout.nslots} - 1) {
  std::sort(layout_.pools.begin(), layout_.pools.end(), [](const PoolLayout& a, const PoolLayout& b) {
    return std::pair(a.stride_bytes, a.pool_id) < std::pair(b.stride_bytes, b.pool_id);
  });
}

Result<std::unique_ptr<RegionSet>> RegionSet::map(const RegionLayout& layout, Access access, const PathPolicy& policy) {
  if (auto error = check_limits(layout)) return *std::move(error);
  std::unique_ptr<RegionSet> set(new RegionSet(layout, access));

  const Wanted ring{layout.header_path, protocol::RegionType::header_ring, 0, protocol::header_slot_bytes, 0};
  std::uint64_t budget = populated_at_most;
  Result<Mapping> header = map_region(layout, ring, access, policy, budget);
  if (!header) return header.error();
  set->header_slots_ = reinterpret_cast<std::uint64_t*>(header->data() + protocol::superblock_bytes);
  set->mappings_.push_back(*std::move(header));

  for (const PoolLayout& pool : set->layout_.pools) {
    const Wanted wanted{pool.path, protocol::RegionType::payload_pool, pool.pool_id, pool.stride_bytes,
                        pool.stride_bytes};
    Result<Mapping> mapping = map_region(layout, wanted, access, policy, budget);
    if (!mapping) return mapping.error();
    const CopyMode mode = copy_mode_for(std::uint64_t{layout.nslots} * pool.stride_bytes, pool.stride_bytes);
    set->pools_.push_back({pool.pool_id, pool.stride_bytes, mode, mapping->data() + protocol::superblock_bytes});
    mapping->fall_after(set->mappings_.front());
    set->mappings_.push_back(*std::move(mapping));
  }
  return set;
}

void RegionSet::touch_activity(Nanos now) noexcept {
  assert(access_ == Access::read_write);
  for (const Mapping& mapping : mappings_)
    NativeAtomics::store_relaxed(*activity_word(mapping), static_cast<std::uint64_t>(now));
}

Nanos RegionSet::activity() const noexcept {
  Nanos newest = 0;
  for (const Mapping& mapping : mappings_) {
    newest = std::max(newest, static_cast<Nanos>(NativeAtomics::load_relaxed(*activity_word(mapping))));
  }
  return newest;
}

// The pools first: a pool takes the ring with it.
const std::string* RegionSet::lost_region() const noexcept {
  for (std::size_t pool = 0; pool < pools_.size(); ++pool) {
    if (mappings_[pool + 1].is_lost()) return &layout_.pools[pool].path;
  }
  return mappings_.front().is_lost() ? &layout_.header_path : nullptr;
}

}  // namespace tensorpool::shm
