// How many bytes of shared memory can still be had. A tmpfs may be as large as all memory, and beyond a cgroup's limit
// the kernel kills instead of refusing; so the file system's own answer is only one of three.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shm/system_calls.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::shm {

// What each authority still grants; absent = it sets no limit, or does not say (hugetlbfs reports 0: only reserving
// tells).
struct Space {
  std::optional<std::uint64_t> file_system_free;
  std::optional<std::uint64_t> mem_available;  // only where the file system lives in memory
  std::optional<std::uint64_t> cgroup_free;    // limit minus use that cannot be reclaimed; likewise

  // The smallest of them; UINT64_MAX if nothing limits.
  [[nodiscard]] std::uint64_t free_bytes() const noexcept;
  // What is left of each when so many bytes are promised to somebody else.
  [[nodiscard]] Space less(std::uint64_t bytes) const noexcept;
  // Who grants the least: "the file system", "available memory", "the cgroup's memory limit".
  [[nodiscard]] std::string_view limited_by() const noexcept;
};

// Asks all three for the file system that holds `directory`.
[[nodiscard]] Result<Space> probe_space(const std::string& directory, SystemCalls& calls = system_calls());

// no_space if `needed_bytes` exceed what is free; the message has `what`, bytes needed, bytes free, who limits, and the
// settings to change.
[[nodiscard]] Status check_space(std::string_view what, const std::string& directory, std::uint64_t needed_bytes,
                                 const Space& space);

}  // namespace tensorpool::shm
