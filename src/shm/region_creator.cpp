#include "shm/region_creator.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "protocol/shm_layout.hpp"
#include "shm/sigbus_guard.hpp"
#include "shm/space.hpp"

namespace tensorpool::shm {
namespace {

using protocol::RegionType;

constexpr std::uint64_t ordinary_page_bytes = 4096;

// One region file on its way.
struct RegionFile {
  std::string name;
  RegionType type;
  std::uint16_t pool_id;
  std::uint32_t slot_bytes;
  bool reserved;  // in full, so that it may be prefaulted and locked
};

// What is done to each file, in this order. The superblock comes last: a file that has one is whole.
enum class Stage : unsigned char { create, reserve, prefault, lock, superblock };

std::vector<RegionFile> files_of(const RegionSpec& spec) {
  const bool full = spec.reserve == Reserve::full;
  std::vector<RegionFile> files{
      {std::string(header_file_name), RegionType::header_ring, 0, protocol::header_slot_bytes, full}};
  for (const PoolSpec& pool : spec.pools) {
    files.push_back({pool_file_name(pool.pool_id), RegionType::payload_pool, pool.pool_id, pool.stride_bytes,
                     full && spec.pools_reserved});
  }
  return files;
}

Status check(const RegionSpec& spec) {
  const auto bad = [&](const std::string& why) {
    return make_error(ErrorCode::invalid_argument, "cannot make regions for stream {} epoch {}: {}", spec.stream_id,
                      spec.epoch, why);
  };
  if (!protocol::is_valid_nslots(spec.nslots))
    return bad(fmt::format("nslots is {}, which is no power of two", spec.nslots));
  if (spec.pools.empty()) return bad("there is no pool");
  if (spec.pools.size() > max_pools)
    return bad(fmt::format("{} pools; at most {} are allowed", spec.pools.size(), max_pools));
  for (std::size_t i = 0; i < spec.pools.size(); ++i) {
    const PoolSpec& pool = spec.pools[i];
    if (!protocol::is_valid_stride(pool.stride_bytes)) {
      return bad(
          fmt::format("the stride of pool {} is {}, which is no multiple of 64", pool.pool_id, pool.stride_bytes));
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (spec.pools[j].pool_id == pool.pool_id) return bad(fmt::format("pool id {} occurs twice", pool.pool_id));
    }
  }
  return {};
}

}  // namespace

std::uint64_t bytes_to_reserve(const RegionSpec& spec, std::uint64_t page_bytes) {
  constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t total = 0;
  for (const RegionFile& file : files_of(spec)) {
    const std::uint64_t whole = round_up(protocol::region_bytes(spec.nslots, file.slot_bytes), page_bytes);
    const std::uint64_t taken = file.reserved ? whole : page_bytes;
    total = total > unlimited - taken ? unlimited : total + taken;
  }
  return total;
}

LockedRegions& LockedRegions::operator=(LockedRegions&& other) noexcept {
  std::swap(regions_, other.regions_);
  std::swap(calls_, other.calls_);
  return *this;
}

LockedRegions::~LockedRegions() {
  for (const Region& region : regions_) calls_->unmap(region.address, region.length);
}

// From the end of the last region. REQUIRES: whole pages.
void LockedRegions::release_some(std::size_t max_bytes) noexcept {
  if (regions_.empty()) return;
  Region& last = regions_.back();
  const std::size_t keep = last.length > max_bytes ? last.length - max_bytes : 0;
  calls_->unmap(static_cast<std::byte*>(last.address) + keep, last.length - keep);
  last.length = keep;
  if (keep == 0) regions_.pop_back();
}

struct RegionCreator::Impl {
  RegionSpec spec;
  EpochStore* store;
  SystemCalls* calls;
  UniqueFd stream_dir;
  UniqueFd directory;  // the temporary one
  std::string temporary_name;
  std::string temporary_path;  // for messages
  std::string final_dir;
  std::uint64_t page_bytes = ordinary_page_bytes;

  std::vector<RegionFile> files;
  std::size_t current = 0;  // index into files
  Stage stage = Stage::create;
  std::uint64_t position = 0;  // bytes of the current stage that are done
  UniqueFd file;
  void* locked_address = nullptr;  // the current file's mapping while it is being locked
  LockedRegions locked;
  std::optional<Error> failure;
  bool lock_refused = false;
  bool done = false;

  ~Impl() {
    if (!done) clean_up();
  }

  Status prepare();
  Status work(std::uint64_t max_bytes, Nanos now);
  void clean_up() noexcept;
  [[nodiscard]] std::uint64_t bytes_left_to_reserve() const noexcept;

 private:
  [[nodiscard]] std::uint64_t length() const { return length_of(files[current]); }
  [[nodiscard]] std::uint64_t length_of(const RegionFile& region) const noexcept {
    return round_up(protocol::region_bytes(spec.nslots, region.slot_bytes), page_bytes);
  }
  // Its blocks: all, or those of a sparse file's superblock.
  [[nodiscard]] std::uint64_t blocks_of(const RegionFile& region) const noexcept {
    return region.reserved ? length_of(region) : page_bytes;
  }
  [[nodiscard]] std::string path() const { return temporary_path + "/" + files[current].name; }
  // The next piece of the current stage, whole pages, within `end`.
  [[nodiscard]] std::uint64_t next_piece(std::uint64_t max_bytes, std::uint64_t end) const {
    const std::uint64_t pages = std::max<std::uint64_t>(max_bytes / page_bytes, 1);
    return std::min(end - position, pages * page_bytes);
  }
  Status enter(Stage next) {
    stage = next;
    position = 0;
    return {};
  }

  Status create_file();
  Status reserve(std::uint64_t max_bytes);
  Status prefault(std::uint64_t max_bytes);
  Status lock(std::uint64_t max_bytes);
  Status write_superblock(Nanos now);
  Status publish();
  [[nodiscard]] Error no_room(int error) const;
};

std::uint64_t RegionCreator::Impl::bytes_left_to_reserve() const noexcept {
  std::uint64_t left = 0;
  for (std::size_t i = current; i < files.size(); ++i) {
    if (i > current || stage <= Stage::reserve) left += blocks_of(files[i]);
  }
  return current < files.size() && stage == Stage::reserve ? left - position : left;
}

// Makes the temporary directory. Only this user may enter it until it is finished.
Status RegionCreator::Impl::prepare() {
  Result<UniqueFd> stream = store->open_stream_dir(spec.stream_id);
  if (!stream) return stream.error();
  stream_dir = *std::move(stream);
  if (calls->make_directory_at(stream_dir.get(), temporary_name.c_str(), 0700) != 0) {
    return errno_error(errno, "cannot create {}", temporary_path);
  }
  directory = UniqueFd(
      calls->open_at(stream_dir.get(), temporary_name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0));
  if (!directory) return errno_error(errno, "cannot open {}", temporary_path);

  struct statfs file_system {};
  if (calls->file_system_of(directory.get(), &file_system) != 0)
    return errno_error(errno, "cannot ask for the file system of {}", temporary_path);
  if (is_hugetlbfs(file_system)) page_bytes = static_cast<std::uint64_t>(file_system.f_bsize);
  if (spec.require_hugepages && !is_hugetlbfs(file_system)) {
    return make_error(ErrorCode::unsupported,
                      "huge pages are required for stream {}, but {} is not on hugetlbfs; mount one and set "
                      "shm.base_dir to it, or set "
                      "shm.require_hugepages = false",
                      spec.stream_id, store->base_dir());
  }
  return {};
}

Status RegionCreator::Impl::work(std::uint64_t max_bytes, Nanos now) {
  if (current == files.size()) return publish();
  switch (stage) {
    case Stage::create:
      return create_file();
    case Stage::reserve:
      return reserve(max_bytes);
    case Stage::prefault:
      return prefault(max_bytes);
    case Stage::lock:
      return lock(max_bytes);
    case Stage::superblock:
      return write_superblock(now);
  }
  return {};
}

Status RegionCreator::Impl::create_file() {
  constexpr int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  file = UniqueFd(calls->open_at(directory.get(), files[current].name.c_str(), flags, 0600));
  if (!file) return errno_error(errno, "cannot create {}", path());
  if (calls->change_mode(file.get(), spec.file_mode) != 0)
    return errno_error(errno, "cannot set the mode of {} to {:o}", path(), spec.file_mode);
  if (length() > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) return no_room(ENOSPC);
  if (calls->truncate(file.get(), length()) != 0) return no_room(errno);
  return enter(Stage::reserve);
}

// Takes the blocks, so that no later touch finds the file system full. A sparse file gets its first page, for the
// superblock.
Status RegionCreator::Impl::reserve(std::uint64_t max_bytes) {
  const std::uint64_t end = blocks_of(files[current]);
  const std::uint64_t piece = next_piece(max_bytes, end);
  if (calls->reserve(file.get(), position, piece) != 0) return no_room(errno);
  position += piece;
  return position < end ? Status{} : enter(Stage::prefault);
}

// Reserved pages are zeroed at their first touch: done here, or the producer would pay for it in its first lap of the
// ring.
Status RegionCreator::Impl::prefault(std::uint64_t max_bytes) {
  if (!spec.prefault || !files[current].reserved) return enter(Stage::lock);
  const std::uint64_t piece = next_piece(max_bytes, length());
  void* address = calls->map(file.get(), position, piece);
  if (address == nullptr) return errno_error(errno, "cannot map {} bytes of {}", piece, path());
  const int failed = calls->populate(address, piece) != 0 ? errno : 0;
  calls->unmap(address, piece);
  if (failed != 0) return no_room(failed);
  position += piece;
  return position < length() ? Status{} : enter(Stage::lock);
}

// Locked pages stay locked while this mapping lives, so it goes to the owner of the epoch.
Status RegionCreator::Impl::lock(std::uint64_t max_bytes) {
  if (!spec.mlock || !files[current].reserved) return enter(Stage::superblock);
  if (locked_address == nullptr) {
    locked_address = calls->map(file.get(), 0, length());
    if (locked_address == nullptr) return errno_error(errno, "cannot map {} bytes of {}", length(), path());
    locked.calls_ = calls;
    locked.regions_.push_back({locked_address, length()});
  }
  const std::uint64_t piece = next_piece(max_bytes, length());
  if (calls->lock(static_cast<std::byte*>(locked_address) + position, piece) != 0) {
    lock_refused = true;
    return errno_error(errno,
                       "cannot lock {} bytes of {} in memory; raise the limit of locked memory (ulimit -l), or set "
                       "policies.mlock_shm = false",
                       length(), path());
  }
  position += piece;
  if (position < length()) return {};
  locked_address = nullptr;
  return enter(Stage::superblock);
}

// Through a mapping, which every file system has; hugetlbfs has no write.
Status RegionCreator::Impl::write_superblock(Nanos now) {
  const RegionFile& region = files[current];
  protocol::Superblock superblock;
  superblock.epoch = spec.epoch;
  superblock.stream_id = spec.stream_id;
  superblock.region_type = region.type;
  superblock.pool_id = region.pool_id;
  superblock.nslots = spec.nslots;
  superblock.slot_bytes = region.slot_bytes;
  superblock.stride_bytes = region.type == RegionType::header_ring ? 0 : region.slot_bytes;
  superblock.pid = spec.pid;
  superblock.start_timestamp_ns = static_cast<std::uint64_t>(now);
  superblock.activity_timestamp_ns = static_cast<std::uint64_t>(now);
  std::array<std::byte, protocol::superblock_bytes> bytes;
  protocol::encode_superblock(superblock, bytes);

  void* address = calls->map(file.get(), 0, page_bytes);
  if (address == nullptr) return errno_error(errno, "cannot map the superblock of {}", path());
  bool lost = false;
  {
    const GuardedRange guard(address, page_bytes, Access::read_write);
    std::memcpy(address, bytes.data(), bytes.size());
    lost = guard.is_lost();
  }
  calls->unmap(address, page_bytes);
  if (lost) return make_error(ErrorCode::io_error, "{} was truncated by somebody while it was made", path());
  file.reset();
  ++current;
  return enter(Stage::create);
}

Status RegionCreator::Impl::publish() {
  const mode_t mode = store->directory_mode();
  if (calls->change_mode(directory.get(), mode) != 0)
    return errno_error(errno, "cannot set the mode of {} to {:o}", temporary_path, mode);
  const std::string name = std::to_string(spec.epoch);
  if (calls->rename_at(stream_dir.get(), temporary_name.c_str(), name.c_str()) != 0) {
    return errno_error(errno, "cannot rename {} to {}", temporary_path, final_dir);
  }
  done = true;
  return {};
}

Error RegionCreator::Impl::no_room(int error) const {
  if (error != ENOSPC && error != ENOMEM && error != EDQUOT && error != EFAULT) {
    return errno_error(error, "cannot reserve {} bytes for {}", length(), path());
  }
  const Result<Space> space = probe_space(store->base_dir(), *calls);
  const std::string free = !space || space->free_bytes() == std::numeric_limits<std::uint64_t>::max()
                               ? "an unknown number of"
                               : std::to_string(space->free_bytes());
  const std::uint64_t needed = bytes_to_reserve(spec, page_bytes);
  const std::string more = page_bytes == ordinary_page_bytes
                               ? "set shm.base_dir to a larger file system"
                               : fmt::format(
                                     "give the machine more huge pages (sysctl vm.nr_hugepages; {} of {} bytes "
                                     "are needed)",
                                     needed / page_bytes, page_bytes);
  return make_error(ErrorCode::no_space,
                    "no space for {}: the regions of stream {} need {} bytes, and {} bytes are free beside what they "
                    "took so far; reduce the profile's header_nslots or strides, or {}",
                    path(), spec.stream_id, needed, free, more);
}

// Removes what was made, in a directory that only this creator knows.
void RegionCreator::Impl::clean_up() noexcept {
  locked = LockedRegions{};
  file.reset();
  if (directory) {
    for (const RegionFile& region : files) calls->unlink_at(directory.get(), region.name.c_str(), 0);
  }
  if (stream_dir) calls->unlink_at(stream_dir.get(), temporary_name.c_str(), AT_REMOVEDIR);
  if (stream_dir) store->remove_stream_dir_if_empty(spec.stream_id);
  directory.reset();
  stream_dir.reset();
}

RegionCreator::RegionCreator(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
RegionCreator::RegionCreator(RegionCreator&&) noexcept = default;
RegionCreator& RegionCreator::operator=(RegionCreator&&) noexcept = default;
RegionCreator::~RegionCreator() = default;

Result<RegionCreator> RegionCreator::begin(EpochStore& store, const RegionSpec& spec) {
  if (Status good = check(spec); !good) return good.error();
  auto impl = std::make_unique<Impl>();
  impl->spec = spec;
  impl->store = &store;
  impl->calls = &store.calls();
  impl->files = files_of(spec);
  impl->temporary_name = std::string(making_prefix) + std::to_string(spec.epoch);
  impl->temporary_path = fmt::format("{}/{}/{}", store.namespace_dir(), spec.stream_id, impl->temporary_name);
  impl->final_dir = store.epoch_dir(spec.stream_id, spec.epoch);
  if (Status prepared = impl->prepare(); !prepared) return prepared.error();
  return RegionCreator(std::move(impl));
}

Result<RegionCreator::Progress> RegionCreator::step(std::uint64_t max_bytes, Nanos now) {
  if (impl_->failure) return *impl_->failure;
  if (impl_->done) return Progress::done;
  if (Status worked = impl_->work(max_bytes, now); !worked) {
    impl_->failure = worked.error();
    impl_->clean_up();
    return worked.error();
  }
  return impl_->done ? Progress::done : Progress::working;
}

RegionLayout RegionCreator::layout() const {
  assert(impl_->done);
  RegionLayout layout;
  layout.stream_id = impl_->spec.stream_id;
  layout.epoch = impl_->spec.epoch;
  layout.layout_version = protocol::layout_version;
  layout.nslots = impl_->spec.nslots;
  layout.header_path = impl_->final_dir + "/" + std::string(header_file_name);
  layout.require_hugepages = impl_->spec.require_hugepages;
  for (const PoolSpec& pool : impl_->spec.pools) {
    layout.pools.push_back({pool.pool_id, pool.stride_bytes, impl_->final_dir + "/" + pool_file_name(pool.pool_id)});
  }
  return layout;
}

std::uint64_t RegionCreator::bytes_left_to_reserve() const noexcept { return impl_->bytes_left_to_reserve(); }

bool RegionCreator::lock_refused() const noexcept { return impl_->lock_refused; }

LockedRegions RegionCreator::take_locked() noexcept {
  assert(impl_->done);
  return std::exchange(impl_->locked, LockedRegions{});
}

}  // namespace tensorpool::shm
