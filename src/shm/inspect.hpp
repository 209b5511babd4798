// What a region file says about itself, for people: every field with its verdict, however broken the file. Reads with
// read calls, never through a mapping, so that a file which shrinks meanwhile cannot kill the reader.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/shm_layout.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::shm {

struct InspectedField {
  std::string_view name;
  std::string value;
  bool ok = true;
  std::string why;  // empty if ok
};

// What the commit words of a header ring say.
struct CommitSummary {
  std::uint64_t committed = 0;
  std::uint64_t in_progress = 0;  // being written, or abandoned
  std::uint64_t empty = 0;        // never written
  std::uint64_t stray = 0;        // a sequence that does not belong into its slot
  std::uint64_t unread = 0;       // slots beyond most_inspected_slots
  std::optional<std::uint64_t> oldest_committed;
  std::optional<std::uint64_t> newest_committed;
};

// A larger ring is reported, but only so many of its slots are read, and holes of a sparse file are skipped: a file
// that only claims to be large costs nothing.
inline constexpr std::uint32_t most_inspected_slots = std::uint32_t{1} << 20;

struct RegionReport {
  std::string path;
  std::uint64_t file_bytes = 0;
  std::uint64_t held_bytes = 0;          // blocks that the file occupies
  protocol::Superblock superblock;       // as it lies there, valid or not
  std::vector<InspectedField> fields;    // the file's own properties, then the superblock's fields
  std::optional<CommitSummary> commits;  // of a header ring of believable shape
  [[nodiscard]] bool ok() const noexcept;
};

// One slot of a header ring.
struct SlotReport {
  std::string path;
  std::uint32_t index = 0;
  std::vector<InspectedField> fields;
  [[nodiscard]] bool ok() const noexcept;
};

// Fails only if the file cannot be opened as a regular file. The last component may be no link; pipes and devices are
// not opened.
[[nodiscard]] Result<RegionReport> inspect_region(const std::string& path);

// invalid_argument: no header ring of believable shape, or it has no such slot. A slot that is being written meanwhile
// may show a mixture; read it again.
[[nodiscard]] Result<SlotReport> inspect_slot(const std::string& path, std::uint32_t index);

// The first header slot from `index` on that does not lie in a hole of the file, which reads as zeros; `end` if none
// before `end` does.
[[nodiscard]] std::uint32_t next_written_slot(int file, std::uint32_t index, std::uint32_t end) noexcept;

}  // namespace tensorpool::shm
