#include "shm/inspect.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::shm {
namespace {

// As protocol::decode_superblock, but for a person, who wants to see every field of a broken file: that one stops at
// the first fault, and returns nothing.
protocol::Superblock decode_leniently(const std::array<std::byte, protocol::superblock_bytes>& bytes) {
  protocol::Superblock block;
  ByteReader in(bytes);
  std::int16_t type = 0;
  const bool whole = in.read(block.magic) && in.read(block.layout_version) && in.read(block.epoch) &&
                     in.read(block.stream_id) && in.read(type) && in.read(block.pool_id) && in.read(block.nslots) &&
                     in.read(block.slot_bytes) && in.read(block.stride_bytes) && in.read(block.pid) &&
                     in.read(block.start_timestamp_ns) && in.read(block.activity_timestamp_ns);
  block.region_type = static_cast<protocol::RegionType>(type);
  return whole ? block : protocol::Superblock{};
}

class Fields {
 public:
  explicit Fields(std::vector<InspectedField>& out) : out_(out) {}
  void add(std::string_view name, std::string value, bool ok = true, std::string_view why = {}) {
    out_.push_back({name, std::move(value), ok, ok ? std::string{} : std::string(why)});
  }

 private:
  std::vector<InspectedField>& out_;
};

void add_superblock(Fields& fields, const protocol::Superblock& block, std::uint64_t file_bytes,
                    std::uint64_t block_bytes) {
  const bool is_ring = block.region_type == protocol::RegionType::header_ring;
  const bool is_pool = block.region_type == protocol::RegionType::payload_pool;
  const bool shape_ok = protocol::is_valid_nslots(block.nslots);
  fields.add("magic", fmt::format("0x{:016x}", block.magic), block.magic == protocol::magic, "not a tensorpool region");
  fields.add("layout_version", std::to_string(block.layout_version), block.layout_version == protocol::layout_version,
             "this build speaks version 1");
  fields.add("epoch", std::to_string(block.epoch));
  fields.add("stream_id", std::to_string(block.stream_id));
  fields.add("region_type",
             is_ring   ? "header_ring"
             : is_pool ? "payload_pool"
                       : std::to_string(static_cast<int>(block.region_type)),
             is_ring || is_pool, "neither header_ring (1) nor payload_pool (2)");
  fields.add("pool_id", std::to_string(block.pool_id), !is_ring || block.pool_id == 0, "a header ring has pool id 0");
  fields.add("nslots", std::to_string(block.nslots), shape_ok, "not a power of two");
  if (is_ring) {
    fields.add("slot_bytes", std::to_string(block.slot_bytes), block.slot_bytes == protocol::header_slot_bytes,
               "a header slot has 256 bytes");
    fields.add("stride_bytes", std::to_string(block.stride_bytes), block.stride_bytes == 0,
               "a header ring has stride 0");
  } else {
    const bool unstated = block.slot_bytes == protocol::unstated_slot_bytes;
    fields.add("slot_bytes", unstated ? "unstated" : std::to_string(block.slot_bytes),
               unstated || block.slot_bytes == block.stride_bytes, "neither the stride nor 0xFFFFFFFF");
    fields.add("stride_bytes", std::to_string(block.stride_bytes), protocol::is_valid_stride(block.stride_bytes),
               "not a non-zero multiple of 64");
  }
  const std::uint64_t needed = protocol::region_bytes(block.nslots, is_ring ? block.slot_bytes : block.stride_bytes);
  const bool fits = needed <= file_bytes;
  // A file may be rounded up to a block of its file system, which is a huge page on hugetlbfs.
  const bool exact = !fits || !shape_ok || file_bytes - needed < block_bytes;
  fields.add("needed_bytes", std::to_string(needed), fits && exact,
             fits ? "the file is longer than its superblock says" : "the file is shorter than its superblock says");
  fields.add("pid", std::to_string(block.pid));
  fields.add("start_timestamp_ns", std::to_string(block.start_timestamp_ns));
  fields.add("activity_timestamp_ns", std::to_string(block.activity_timestamp_ns));
}

bool is_readable_ring(const protocol::Superblock& block, std::uint64_t file_bytes) {
  return block.region_type == protocol::RegionType::header_ring && protocol::is_valid_nslots(block.nslots) &&
         protocol::region_bytes(block.nslots, protocol::header_slot_bytes) <= file_bytes;
}

void count(CommitSummary& summary, std::uint64_t word, std::uint64_t index, std::uint32_t nslots) {
  const std::uint64_t seq = protocol::seq_of(word);
  if (word == 0 && index != 0) {
    ++summary.empty;  // sequence 0 belongs into slot 0 only; there, untouched and "0 in progress" look the same
  } else if (protocol::header_index(seq, nslots) != index) {
    ++summary.stray;
  } else if (!protocol::is_committed(word)) {
    ++(word == 0 ? summary.empty : summary.in_progress);
  } else {
    ++summary.committed;
    summary.oldest_committed = std::min(summary.oldest_committed.value_or(seq), seq);
    summary.newest_committed = std::max(summary.newest_committed.value_or(seq), seq);
  }
}

CommitSummary read_commits(int file, std::uint32_t nslots) {
  CommitSummary summary;
  constexpr std::uint32_t slots_per_read = 256;
  std::vector<std::byte> buffer(std::size_t{slots_per_read} * protocol::header_slot_bytes);
  const std::uint32_t end = std::min(nslots, most_inspected_slots);
  summary.unread = nslots - end;
  for (std::uint32_t first = 0; first < end; first += slots_per_read) {
    const std::uint32_t written = next_written_slot(file, first, end);
    summary.empty += written - first;
    first = written;
    if (first == end) break;
    const auto offset = static_cast<off_t>(protocol::slot_offset(first, protocol::header_slot_bytes));
    const ssize_t got = ::pread(file, buffer.data(), buffer.size(), offset);
    if (got <= 0) return summary;  // it shrank meanwhile
    const auto slots =
        std::min<std::uint64_t>(static_cast<std::uint64_t>(got) / protocol::header_slot_bytes, end - first);
    for (std::uint64_t i = 0; i < slots; ++i) {
      count(summary,
            load_le<std::uint64_t>(buffer.data() + i * protocol::header_slot_bytes + protocol::seq_commit_offset),
            first + i, nslots);
    }
  }
  return summary;
}

bool all_ok(const std::vector<InspectedField>& fields) noexcept {
  return std::all_of(fields.begin(), fields.end(), [](const InspectedField& field) { return field.ok; });
}

struct OpenedRegion {
  UniqueFd file;
  struct stat status {};
};

Result<OpenedRegion> open_region(const std::string& path) {
  OpenedRegion opened;
  const std::string shown = escape(path, 4096);
  // Looked at before it is opened: opening a pipe or a device can have effects.
  if (::lstat(path.c_str(), &opened.status) != 0) return errno_error(errno, "cannot open {}", shown);
  if (S_ISLNK(opened.status.st_mode)) {
    return make_error(ErrorCode::invalid_argument, "{} is a symbolic link, which is not followed; name its target",
                      shown);
  }
  if (!S_ISREG(opened.status.st_mode)) {
    return make_error(ErrorCode::invalid_argument, "{} is not a regular file", shown);
  }
  opened.file = UniqueFd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!opened.file) return errno_error(errno, "cannot open {}", shown);
  if (::fstat(opened.file.get(), &opened.status) != 0) return errno_error(errno, "cannot examine {}", shown);
  if (!S_ISREG(opened.status.st_mode)) {
    return make_error(ErrorCode::invalid_argument, "{} is not a regular file", shown);
  }
  return opened;
}

template <std::size_t Size>
bool read_at(const UniqueFd& file, std::uint64_t offset, std::array<std::byte, Size>& bytes) {
  return ::pread(file.get(), bytes.data(), Size, static_cast<off_t>(offset)) == static_cast<ssize_t>(Size);
}

std::string list_of(std::span<const std::int32_t> numbers) { return fmt::format("{}", fmt::join(numbers, " x ")); }

// Of a slot that is being written, nothing but its word is a promise.
void add_header(Fields& fields, const protocol::SlotHeader& header, std::uint32_t index, bool committed) {
  const TensorLayout& layout = header.layout;
  const LayoutFault fault = committed ? layout.check(header.values_len_bytes) : LayoutFault::none;
  fields.add("timestamp_ns", std::to_string(header.timestamp_ns));
  fields.add("meta_version", std::to_string(header.meta_version));
  fields.add("values_len_bytes", std::to_string(header.values_len_bytes));
  fields.add("payload_slot", std::to_string(header.payload_slot), !committed || header.payload_slot == index,
             "a payload has the index of its header");
  fields.add("payload_offset", std::to_string(header.payload_offset));
  fields.add("pool_id", std::to_string(header.pool_id), !committed || header.pool_id != 0, "0 is the header ring");
  fields.add("dtype", std::string(to_string(layout.dtype)));
  fields.add("major_order", std::string(to_string(layout.major_order)));
  fields.add("ndims", std::to_string(layout.ndims), fault == LayoutFault::none, to_string(fault));
  fields.add("dims", list_of(layout.shape()));
  fields.add("strides", list_of(std::span(layout.strides).first(layout.shape().size())));
}

}  // namespace

std::uint32_t next_written_slot(int file, std::uint32_t index, std::uint32_t end) noexcept {
  if (index >= end) return end;
  const auto offset = static_cast<off_t>(protocol::slot_offset(index, protocol::header_slot_bytes));
  const off_t data = ::lseek(file, offset, SEEK_DATA);
  if (data < 0) return errno == ENXIO ? end : index;  // another error: a file system that knows no holes
  const std::uint64_t slot =
      (static_cast<std::uint64_t>(data) - protocol::superblock_bytes) / protocol::header_slot_bytes;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(slot, index, end));
}

bool RegionReport::ok() const noexcept { return all_ok(fields); }
bool SlotReport::ok() const noexcept { return all_ok(fields); }

Result<RegionReport> inspect_region(const std::string& path) {
  const auto opened = open_region(path);
  if (!opened) return opened.error();
  const auto& [file, status] = *opened;

  RegionReport report;
  report.path = path;
  report.file_bytes = static_cast<std::uint64_t>(status.st_size);
  report.held_bytes = static_cast<std::uint64_t>(status.st_blocks) * 512;
  Fields fields(report.fields);
  fields.add("owner", std::to_string(status.st_uid));
  fields.add("mode", fmt::format("{:o}", status.st_mode & 07777), (status.st_mode & S_IWOTH) == 0,
             "writable by everyone; readers refuse it");
  fields.add("hard_links", std::to_string(status.st_nlink), status.st_nlink == 1, "readers accept exactly one");

  std::array<std::byte, protocol::superblock_bytes> bytes{};
  const bool whole = read_at(file, 0, bytes);
  fields.add("file_bytes", std::to_string(report.file_bytes), whole, "too short for a superblock of 64 bytes");
  if (!whole) return report;
  report.superblock = decode_leniently(bytes);
  add_superblock(fields, report.superblock, report.file_bytes, static_cast<std::uint64_t>(status.st_blksize));
  if (is_readable_ring(report.superblock, report.file_bytes))
    report.commits = read_commits(file.get(), report.superblock.nslots);
  return report;
}

Result<SlotReport> inspect_slot(const std::string& path, std::uint32_t index) {
  const auto opened = open_region(path);
  if (!opened) return opened.error();
  const auto& [file, status] = *opened;
  std::array<std::byte, protocol::superblock_bytes> head{};
  const bool has_head = read_at(file, 0, head);
  const protocol::Superblock superblock = has_head ? decode_leniently(head) : protocol::Superblock{};
  if (!has_head || !is_readable_ring(superblock, static_cast<std::uint64_t>(status.st_size))) {
    return make_error(ErrorCode::invalid_argument, "{} is no header ring; tp shm inspect {} tells what it is",
                      escape(path, 4096), escape(path, 4096));
  }
  if (index >= superblock.nslots) {
    return make_error(ErrorCode::invalid_argument, "{} has no slot {}; its {} slots are 0 to {}", escape(path, 4096),
                      index, superblock.nslots, superblock.nslots - 1);
  }
  protocol::TensorSlotHeader256 slot;
  if (!read_at(file, protocol::slot_offset(index, protocol::header_slot_bytes), slot.bytes)) {
    return make_error(ErrorCode::io_error, "{} ends within slot {}: it shrank meanwhile", escape(path, 4096), index);
  }
  SlotReport report{path, index, {}};
  Fields fields(report.fields);
  const std::uint64_t word = slot.seq_commit();
  fields.add("seq_commit", std::to_string(word));
  if (word == 0) {
    fields.add("state", "empty");
    return report;
  }
  fields.add("seq", std::to_string(slot.seq()), protocol::header_index(slot.seq(), superblock.nslots) == index,
             "a sequence that does not belong into this slot");
  fields.add("state", slot.committed() ? "committed" : "in progress");
  if (const auto header = slot.decode()) {
    add_header(fields, *header, index, slot.committed());
  } else {
    fields.add("header", "none", !slot.committed(), protocol::to_string(header.error()));
  }
  return report;
}

}  // namespace tensorpool::shm
