#include "apps/tp/shm_validate.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>

#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "protocol/shm_layout.hpp"
#include "shm/epoch_store.hpp"
#include "shm/inspect.hpp"

namespace tensorpool::apps::tp {
namespace {

namespace fs = std::filesystem;
using shm::ListedEntry;
using Kind = shm::ListedEntry::Kind;

constexpr std::size_t most_faults_of_a_ring = 16;
constexpr std::size_t most_faults = 4096;
constexpr std::uint32_t slots_per_page = 16;

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = fault == std::errc{} && end == text.data() + text.size() && !text.empty();
  return whole ? std::optional(value) : std::nullopt;
}

// The highest epoch that was removed is remembered so.
bool is_past_mark(const ListedEntry& entry) {
  return entry.name.starts_with(shm::past_prefix) && entry.kind == Kind::directory &&
         number<std::uint64_t>(std::string_view(entry.name).substr(shm::past_prefix.size()));
}

class Validation {
 public:
  Validation(bool in_use, shm::Listing& listing, ShmVerdict& verdict)
      : in_use_(in_use), listing_(listing), verdict_(verdict) {}

  Status look_at_namespace(const std::string& dir) {
    const Result<std::vector<ListedEntry>> entries = listing_.list(dir);
    if (!entries) {
      return entries.error();
    }
    for (const ListedEntry& entry : *entries) {
      const auto stream_id = number<std::uint32_t>(entry.name);
      if (stream_id && entry.kind == Kind::directory) {
        look_at_stream(entry.path, *stream_id);
      } else if (!entry.name.ends_with(".lock") && !is_past_mark(entry)) {
        fault(entry.path, "does not belong into a namespace");
      }
    }
    return {};
  }

 private:
  void look_at_stream(const std::string& dir, std::uint32_t stream_id) {
    for (const ListedEntry& entry : listing_.entries_of(dir)) {
      const auto epoch = number<std::uint64_t>(entry.name);
      if (epoch && entry.kind == Kind::directory) {
        ++verdict_.epochs;
        look_at_epoch(entry.path, stream_id, *epoch);
      } else if (entry.name.starts_with(shm::making_prefix) || entry.name.starts_with(shm::removed_prefix)) {
        if (!in_use_) {
          fault(entry.path, "half-made or half-removed by an owner that is gone; tp shm gc removes it");
        }
      } else {
        fault(entry.path, "does not belong into a stream's directory");
      }
    }
  }

  void look_at_epoch(const std::string& dir, std::uint32_t stream_id, std::uint64_t epoch) {
    std::map<std::uint16_t, std::uint32_t> strides;  // of the pools
    std::optional<shm::RegionReport> ring;
    for (const ListedEntry& listed : listing_.entries_of(dir)) {
      const fs::path entry(listed.path);
      const bool is_ring = entry.filename() == shm::header_file_name;
      const auto pool_id = entry.extension() == ".pool" ? number<std::uint16_t>(entry.stem().string()) : std::nullopt;
      if (!is_ring && !pool_id) {
        fault(entry, "does not belong into an epoch");
        continue;
      }
      const auto report = look_at_file(entry, stream_id, epoch);
      if (report && is_ring) {
        expect(entry, report->superblock.region_type == protocol::RegionType::header_ring, "is no header ring");
        ring = *report;
      } else if (report) {
        expect(entry, report->superblock.region_type == protocol::RegionType::payload_pool, "is no payload pool");
        expect(entry, report->superblock.pool_id == *pool_id,
               fmt::format("says that it is pool {}", report->superblock.pool_id));
        strides[*pool_id] = report->superblock.stride_bytes;
        nslots_of_pools_[entry.string()] = report->superblock.nslots;
      }
    }
    if (!ring) {
      fault(dir, "has no readable header ring");
    } else {
      check_pools(ring->superblock.nslots);
      if (ring->ok()) {
        look_at_slots(ring->path, ring->superblock.nslots, strides);
      }
    }
    nslots_of_pools_.clear();
  }

  void check_pools(std::uint32_t nslots) {
    for (const auto& [path, pool_nslots] : nslots_of_pools_) {
      expect(path, pool_nslots == nslots, fmt::format("has {} slots, its header ring {}", pool_nslots, nslots));
    }
  }

  std::optional<shm::RegionReport> look_at_file(const fs::path& path, std::uint32_t stream_id, std::uint64_t epoch) {
    ++verdict_.files;
    Result<shm::RegionReport> report = shm::inspect_region(path.string());
    if (!report) {
      fault(path, report.error().message);
      return std::nullopt;
    }
    for (const shm::InspectedField& field : report->fields) {
      if (!field.ok) {
        fault(path, fmt::format("{} {}: {}", field.name, field.value, field.why));
      }
    }
    expect(path, report->superblock.stream_id == stream_id,
           fmt::format("says that it is of stream {}", report->superblock.stream_id));
    expect(path, report->superblock.epoch == epoch,
           fmt::format("says that it is of epoch {}", report->superblock.epoch));
    if (report->commits) {
      expect(path, report->commits->stray == 0,
             fmt::format("{} slots hold a sequence that belongs elsewhere", report->commits->stray));
    }
    return *std::move(report);
  }

  void look_at_slots(const std::string& path, std::uint32_t nslots,
                     const std::map<std::uint16_t, std::uint32_t>& strides) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    const std::size_t before = verdict_.faults.size();
    const std::uint32_t end = std::min(nslots, shm::most_inspected_slots);
    for (std::uint32_t index = 0; file && index < end; ++index) {
      if (index % slots_per_page == 0) index = shm::next_written_slot(file.get(), index, end);
      if (index == end) break;
      const std::string why = what_is_wrong(file.get(), index, strides);
      if (!why.empty()) {
        fault(path, fmt::format("slot {}: {}", index, why));
      }
      if (verdict_.faults.size() - before >= most_faults_of_a_ring) {
        fault(path, "and perhaps more slots");
        return;
      }
    }
  }

  // Empty for a slot that is not committed, or that its producer wrote while we looked.
  std::string what_is_wrong(int file, std::uint32_t index, const std::map<std::uint16_t, std::uint32_t>& strides) {
    protocol::TensorSlotHeader256 slot;
    protocol::TensorSlotHeader256 again;
    if (!read_slot(file, index, slot) || !slot.committed()) {
      return {};
    }
    ++verdict_.committed_slots;
    std::string why = judge(slot, index, strides);
    const bool moved = !read_slot(file, index, again) || again.seq_commit() != slot.seq_commit();
    return moved ? std::string() : why;
  }

  static bool read_slot(int file, std::uint32_t index, protocol::TensorSlotHeader256& slot) {
    const auto offset = static_cast<off_t>(protocol::slot_offset(index, protocol::header_slot_bytes));
    return ::pread(file, slot.bytes.data(), slot.bytes.size(), offset) == static_cast<ssize_t>(slot.bytes.size());
  }

  static std::string judge(const protocol::TensorSlotHeader256& slot, std::uint32_t index,
                           const std::map<std::uint16_t, std::uint32_t>& strides) {
    const auto header = slot.decode();
    if (!header) {
      return std::string(protocol::to_string(header.error()));
    }
    if (header->payload_slot != index) {
      return fmt::format("payload slot {}", header->payload_slot);
    }
    const auto stride = strides.find(header->pool_id);
    if (stride == strides.end()) {
      return fmt::format("pool {}, which the epoch does not have", header->pool_id);
    }
    if (header->values_len_bytes > stride->second) {
      return fmt::format("{} bytes in pool {} of stride {}", header->values_len_bytes, header->pool_id, stride->second);
    }
    const LayoutFault layout = header->layout.check(header->values_len_bytes);
    return layout == LayoutFault::none ? "" : fmt::format("layout: {}", to_string(layout));
  }

  void expect(const fs::path& path, bool holds, const std::string& why) {
    if (!holds) {
      fault(path, why);
    }
  }
  void fault(const fs::path& path, std::string why) {
    if (verdict_.faults.size() < most_faults) {
      verdict_.faults.push_back({path.string(), std::move(why)});
    } else {
      ++verdict_.faults_more;
    }
  }

  bool in_use_;
  shm::Listing& listing_;
  ShmVerdict& verdict_;
  std::map<std::string, std::uint32_t> nslots_of_pools_;  // of the epoch at hand, by path
};

}  // namespace

Status validate_namespace(const std::string& dir, bool in_use, shm::Listing& listing, ShmVerdict& verdict) {
  return Validation(in_use, listing, verdict).look_at_namespace(dir);
}

std::string describe(const ShmVerdict& verdict) {
  std::vector<std::string> lines;
  for (const ShmFault& fault : verdict.faults) {
    lines.push_back(fmt::format("{}: {}", escape(fault.path, 4096), escape(fault.why)));
  }
  lines.push_back(fmt::format("{}: {} files of {} epochs, {} committed slots, {} faults",
                              verdict.ok() ? "ok" : "NOT OK", verdict.files, verdict.epochs, verdict.committed_slots,
                              verdict.faults.size() + verdict.faults_more));
  return fmt::format("{}", fmt::join(lines, "\n"));
}

Json to_json(const ShmVerdict& verdict) {
  Json faults = Json::array();
  for (const ShmFault& fault : verdict.faults) {
    faults.push_back({{"path", escape(fault.path, 4096)}, {"why", escape(fault.why)}});
  }
  return {{"ok", verdict.ok()},          {"files", verdict.files},
          {"epochs", verdict.epochs},    {"committed_slots", verdict.committed_slots},
          {"faults", std::move(faults)}, {"faults_more", verdict.faults_more},
          {"skipped", verdict.skipped}};
}

}  // namespace tensorpool::apps::tp
