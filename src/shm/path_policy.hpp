// Which files of another process may be opened. A path from a message is foreign: it is opened only below an allowed
// base directory, without following a link in any component, and only if what was opened is an acceptable regular file.
//
// Acceptable, by fstat of the opened handle: regular, exactly one hard link, not writable by others (o-w), owned by
// this process's effective user, by root, by the owner of the base directory, or by the owner of the first directory
// below it (the `tensorpool-<user>` of the canonical layout). Every directory between base and file must be owned so
// too, and be writable by its owner alone: whoever may write it could put another file in the region's place.
#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::shm {

enum class Access : unsigned char { read_only, read_write };

struct PathPolicy {
  // Each is resolved once per use (a base that is itself a link is fine: it is configuration). Empty refuses
  // everything.
  std::vector<std::string> allowed_base_dirs;
};

// Opens `path` for mapping. The error names the path, the rule it broke and the remedy.
[[nodiscard]] Result<UniqueFd> open_region(const std::string& path, Access access, const PathPolicy& policy);

// Opens `relative` below `directory` without following a link in any component, `..` and magic links refused; openat2
// where the kernel has and allows it, else component by component. Returns -1 and errno, like openat.
[[nodiscard]] UniqueFd open_beneath(int directory, const std::string& relative, int flags);

// The portable half of open_beneath; apart, so that a test can hold both to the same answers.
[[nodiscard]] UniqueFd open_beneath_by_component(int directory, const std::string& relative, int flags);

}  // namespace tensorpool::shm
