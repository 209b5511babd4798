#include "shm/inspect.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/bytes.hpp"
#include "base/error.hpp"
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

void add_superblock(Fields& fields, const protocol::Superblock& block, std::uint64_t file_bytes) {
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
  fields.add("needed_bytes", std::to_string(needed), needed <= file_bytes,
             "the file is shorter than its superblock says");
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
  for (std::uint32_t first = 0; first < nslots; first += slots_per_read) {
    const auto offset = static_cast<off_t>(protocol::slot_offset(first, protocol::header_slot_bytes));
    const ssize_t got = ::pread(file, buffer.data(), buffer.size(), offset);
    if (got <= 0) return summary;  // it shrank meanwhile
    const auto slots =
        std::min<std::uint64_t>(static_cast<std::uint64_t>(got) / protocol::header_slot_bytes, nslots - first);
    for (std::uint64_t i = 0; i < slots; ++i) {
      count(summary,
            load_le<std::uint64_t>(buffer.data() + i * protocol::header_slot_bytes + protocol::seq_commit_offset),
            first + i, nslots);
    }
  }
  return summary;
}

}  // namespace

bool RegionReport::ok() const noexcept {
  return std::all_of(fields.begin(), fields.end(), [](const InspectedField& field) { return field.ok; });
}

Result<RegionReport> inspect_region(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return errno_error(errno, "cannot open {}", path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return errno_error(errno, "cannot examine {}", path);
  if (!S_ISREG(status.st_mode)) return make_error(ErrorCode::invalid_argument, "{} is not a regular file", path);

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
  const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
  const bool whole = got == static_cast<ssize_t>(bytes.size());
  fields.add("file_bytes", std::to_string(report.file_bytes), whole, "too short for a superblock of 64 bytes");
  if (!whole) return report;
  report.superblock = decode_leniently(bytes);
  add_superblock(fields, report.superblock, report.file_bytes);
  if (is_readable_ring(report.superblock, report.file_bytes))
    report.commits = read_commits(file.get(), report.superblock.nslots);
  return report;
}

}  // namespace tensorpool::shm
