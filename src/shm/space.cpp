#include "shm/space.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <sstream>

#include "base/error.hpp"

namespace tensorpool::shm {
namespace {

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

// The number after `key` at the start of a line, as in "MemAvailable:  123 kB" and "inactive_file 123".
std::optional<std::uint64_t> field(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, key.size(), key) != 0) continue;
    const std::size_t digits = line.find_first_not_of(" \t", key.size());
    if (digits != std::string::npos) return parse_number(std::string_view(line).substr(digits));
  }
  return std::nullopt;
}

std::optional<std::uint64_t> mem_available(SystemCalls& calls) {
  const auto text = calls.read_text("/proc/meminfo");
  if (!text) return std::nullopt;
  const auto kibibytes = field(*text, "MemAvailable:");
  if (!kibibytes) return std::nullopt;
  return *kibibytes * 1024;
}

// The names by which the two versions of cgroups call the same things.
struct CgroupFiles {
  const char* root;
  const char* limit;
  const char* usage;
  const char* reclaimable;
};
constexpr CgroupFiles cgroup_v2{"/sys/fs/cgroup", "/memory.max", "/memory.current", "inactive_file "};
constexpr CgroupFiles cgroup_v1{"/sys/fs/cgroup/memory", "/memory.limit_in_bytes", "/memory.usage_in_bytes",
                                "total_inactive_file "};

// What one group still grants. Its use counts file pages that the kernel would drop first; those are free.
std::optional<std::uint64_t> free_in(const CgroupFiles& files, const std::string& directory, SystemCalls& calls) {
  const auto limit_text = calls.read_text((directory + files.limit).c_str());
  const auto usage_text = calls.read_text((directory + files.usage).c_str());
  if (!limit_text || !usage_text) return std::nullopt;
  const auto limit = parse_number(*limit_text);  // "max" is no number: no limit
  const auto usage = parse_number(*usage_text);
  // Version 1 says "no limit" with a number near 2^63.
  if (!limit || !usage || *limit >= unlimited / 4) return std::nullopt;
  const std::string stat = calls.read_text((directory + "/memory.stat").c_str()).value_or("");
  const std::uint64_t reclaimable = field(stat, files.reclaimable).value_or(0);
  const std::uint64_t used = *usage - std::min(*usage, reclaimable);
  return *limit - std::min(*limit, used);
}

// The least that this group and those above it grant: each one's limit holds for all below.
std::optional<std::uint64_t> free_up_from(const CgroupFiles& files, std::string group, SystemCalls& calls) {
  std::optional<std::uint64_t> least;
  while (true) {
    if (group == "/") group.clear();
    if (const auto free = free_in(files, files.root + group, calls)) least = std::min(least.value_or(unlimited), *free);
    if (group.empty()) return least;
    group.resize(group.find_last_of('/'));
  }
}

// Lines of /proc/self/cgroup are "id:controllers:path"; version 2's is "0::path".
std::optional<std::uint64_t> cgroup_free(SystemCalls& calls) {
  const auto text = calls.read_text("/proc/self/cgroup");
  if (!text) return std::nullopt;
  std::optional<std::uint64_t> least;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos || line.size() <= second + 1 || line[second + 1] != '/') continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool is_v2 = controllers == ",,";
    if (!is_v2 && controllers.find(",memory,") == std::string::npos) continue;
    const auto free = free_up_from(is_v2 ? cgroup_v2 : cgroup_v1, line.substr(second + 1), calls);
    if (free) least = std::min(least.value_or(unlimited), *free);
  }
  return least;
}

}  // namespace

std::uint64_t Space::free_bytes() const noexcept {
  return std::min(
      {file_system_free.value_or(unlimited), mem_available.value_or(unlimited), cgroup_free.value_or(unlimited)});
}

Space Space::less(std::uint64_t bytes) const noexcept {
  const auto left = [bytes](std::optional<std::uint64_t> free) {
    return free ? std::optional(*free - std::min(*free, bytes)) : free;
  };
  return {left(file_system_free), left(mem_available), left(cgroup_free)};
}

std::string_view Space::limited_by() const noexcept {
  const std::uint64_t least = free_bytes();
  if (least == unlimited) return "nothing";
  if (file_system_free == least) return "the file system";
  return mem_available == least ? "available memory" : "the cgroup's memory limit";
}

Result<Space> probe_space(const std::string& directory, SystemCalls& calls) {
  struct statfs file_system {};
  struct statvfs blocks {};
  if (calls.file_system_of_path(directory.c_str(), &file_system) != 0 ||
      calls.file_system_space(directory.c_str(), &blocks) != 0) {
    return errno_error(errno, "cannot ask how much space is free in {}", directory);
  }
  Space space;
  if (is_hugetlbfs(file_system)) return space;
  // A tmpfs without a size limit has 0 blocks in all.
  if (blocks.f_blocks != 0) space.file_system_free = std::uint64_t{blocks.f_bavail} * blocks.f_frsize;
  if (is_type(file_system, tmpfs_type) || is_type(file_system, ramfs_type)) {
    space.mem_available = mem_available(calls);
    space.cgroup_free = cgroup_free(calls);
  }
  return space;
}

Status check_space(std::string_view what, const std::string& directory, std::uint64_t needed_bytes,
                   const Space& space) {
  const std::uint64_t free = space.free_bytes();
  if (needed_bytes <= free) return {};
  return make_error(
      ErrorCode::no_space,
      "{} needs {} bytes in {}, and {} bytes are free (limited by {}); reduce the profile's header_nslots or strides, "
      "or set shm.base_dir to a larger file system",
      what, needed_bytes, directory, free, space.limited_by());
}

}  // namespace tensorpool::shm
