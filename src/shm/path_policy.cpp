#include "shm/path_policy.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "base/log.hpp"

namespace tensorpool::shm {
namespace {

template <class... Args>
Error refuse(const std::string& path, fmt::format_string<Args...> why, Args&&... args) {
  return make_error(ErrorCode::permission_denied, "refused to open region {}: {}", escape(path),
                    fmt::format(why, std::forward<Args>(args)...));
}

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> components;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, end);
    if (!component.empty() && component != ".") components.emplace_back(component);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return components;
}

bool is_link(int directory, const std::string& name) {
  struct stat status {};
  return ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

// One component, never through a link; a link is ELOOP whatever the kernel calls it.
UniqueFd open_component(int directory, const std::string& name, int flags) {
  if (name == "..") {
    errno = EXDEV;
    return {};
  }
  UniqueFd opened(::openat(directory, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
  const int error = errno;
  if (is_link(directory, name)) {
    errno = ELOOP;
    return {};
  }
  errno = error;
  return opened;
}

std::optional<std::string> canonical(const std::string& directory) {
  const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(directory.c_str(), nullptr), &std::free);
  if (resolved == nullptr) return std::nullopt;
  return std::string(resolved.get());
}

// The part of `path` below `base`, or nothing if it does not lie below.
std::optional<std::string> below(const std::string& path, std::string base) {
  while (!base.empty() && base.back() == '/') base.pop_back();
  if (path.size() <= base.size() + 1 || path.compare(0, base.size(), base) != 0 || path[base.size()] != '/')
    return std::nullopt;
  const std::size_t start = path.find_first_not_of('/', base.size());
  if (start == std::string::npos) return std::nullopt;
  return path.substr(start);
}

std::optional<Error> check_spelling(const std::string& path) {
  if (path.empty() || path.front() != '/') return refuse(path, "the path is not absolute; announce an absolute path");
  if (path.size() >= PATH_MAX)
    return refuse(path, "the path is {} bytes long, at most {} are allowed", path.size(), PATH_MAX - 1);
  if (path.find('\0') != std::string::npos) return refuse(path, "the path contains a NUL byte");
  if (path.back() == '/') return refuse(path, "the path ends in '/', so it names a directory; a region is a file");
  for (const std::string& component : split(path)) {
    if (component == "..") return refuse(path, "the path contains '..'; announce the canonical path");
  }
  return std::nullopt;
}

// Who may own a region below this base, and the directories on the way to it.
struct Owners {
  uid_t base;
  uid_t first_directory;
  [[nodiscard]] bool accept(uid_t owner) const noexcept {
    return owner == 0 || owner == ::geteuid() || owner == base || owner == first_directory;
  }
  [[nodiscard]] std::string stranger(uid_t owner) const {
    return fmt::format(
        "user id {}, not to this process ({}), root, the owner of the base directory ({}) or of the directory below it "
        "({})",
        owner, ::geteuid(), base, first_directory);
  }
};

// Looks at every directory between base and file; the first one found is the tensorpool-<user> of the canonical layout.
Result<Owners> check_directories(const std::string& path, int base, const std::string& relative) {
  struct stat status {};
  if (::fstat(base, &status) != 0) return errno_error(errno, "cannot examine the base directory of {}", escape(path));
  Owners owners{status.st_uid, status.st_uid};
  const std::vector<std::string> components = split(relative);
  std::string prefix;
  for (std::size_t i = 0; i + 1 < components.size(); ++i) {
    prefix += (i == 0 ? "" : "/") + components[i];
    const UniqueFd directory = open_beneath(base, prefix, O_PATH | O_DIRECTORY);
    if (!directory || ::fstat(directory.get(), &status) != 0)
      return errno_error(errno, "cannot examine {} on the way to {}", escape(prefix), escape(path));
    if (i == 0) owners.first_directory = status.st_uid;
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
      return refuse(path,
                    "directory {} below the base is writable by others than its owner (mode {:o}), who could replace "
                    "the region; remove that permission with chmod go-w",
                    escape(prefix), status.st_mode & 07777);
    }
    if (!owners.accept(status.st_uid)) {
      return refuse(path, "directory {} below the base belongs to {}", escape(prefix), owners.stranger(status.st_uid));
    }
  }
  return owners;
}

std::optional<Error> check_file(const std::string& path, int file, const Owners& owners) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return errno_error(errno, "cannot examine region {}", escape(path));
  if (!S_ISREG(status.st_mode)) return refuse(path, "it is not a regular file; a region is one");
  if (status.st_nlink != 1) {
    return refuse(path, "it has {} hard links, so somebody holds it under another name; a region has exactly one",
                  status.st_nlink);
  }
  if ((status.st_mode & S_IWOTH) != 0) {
    return refuse(path, "it is writable by everyone (mode {:o}); remove that permission with chmod o-w",
                  status.st_mode & 07777);
  }
  if (!owners.accept(status.st_uid)) return refuse(path, "it belongs to {}", owners.stranger(status.st_uid));
  return std::nullopt;
}

Error explain_denial(const std::string& path, Access access) {
  const char* const what = access == Access::read_write ? "write" : "read";
  const char* const mode = access == Access::read_write ? "660" : "640";
  struct stat status {};
  const std::string owner = ::lstat(path.c_str(), &status) == 0
                                ? fmt::format("it belongs to user {}, group {}, mode {:04o}", status.st_uid,
                                              status.st_gid, status.st_mode & 07777)
                                : std::string("a directory on the way is closed to that user");
  return make_error(ErrorCode::permission_denied,
                    "cannot open region {}: user {} may not {} it; {}. Join its group and let the group {} "
                    "(shm.permissions_mode = \"{}\"), or run as its owner",
                    escape(path), ::geteuid(), what, owner, what, mode);
}

Error explain_open_failure(const std::string& path, Access access, int error) {
  switch (error) {
    case EACCES:
      return explain_denial(path, access);
    case ELOOP:
      return refuse(path, "a component is a symbolic link; announce the path that it leads to");
    case EXDEV:
      return refuse(path, "it leads out of the allowed base directory");
    case ENXIO:
      return refuse(path, "it is not a regular file; a region is one");
    case EISDIR:
      return refuse(path, "it is a directory; a region is a file");
    default:
      return errno_error(error, "cannot open region {}", escape(path));
  }
}

Result<UniqueFd> open_below(const std::string& path, const std::string& base, const std::string& relative,
                            Access access) {
  const UniqueFd directory(::open(base.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return errno_error(errno, "cannot open the allowed base directory {}", base);
  // O_NONBLOCK: to open a FIFO that nobody writes must not hang. It means nothing for a regular file.
  UniqueFd file = open_beneath(directory.get(), relative,
                               (access == Access::read_write ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY);
  if (!file) return explain_open_failure(path, access, errno);
  const Result<Owners> owners = check_directories(path, directory.get(), relative);
  if (!owners) return owners.error();
  if (auto error = check_file(path, file.get(), *owners)) return *std::move(error);
  return file;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

UniqueFd open_beneath_by_component(int directory, const std::string& relative, int flags) {
  const std::vector<std::string> components = split(relative);
  if (components.empty() || relative.front() == '/') {
    errno = components.empty() ? ENOENT : EXDEV;
    return {};
  }
  UniqueFd parent;
  int at = directory;
  for (std::size_t i = 0; i + 1 < components.size(); ++i) {
    parent = open_component(at, components[i], O_PATH | O_DIRECTORY);
    if (!parent) return {};
    at = parent.get();
  }
  return open_component(at, components.back(), flags);
}

UniqueFd open_beneath(int directory, const std::string& relative, int flags) {
  struct open_how how {};
  how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags | O_NOFOLLOW | O_CLOEXEC));
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long opened = ::syscall(SYS_openat2, directory, relative.c_str(), &how, sizeof how);
  if (opened >= 0) return UniqueFd(static_cast<int>(opened));
  // Old kernels have no openat2, and some containers' filters answer EPERM for calls that they do not know.
  if (errno == ENOSYS || errno == EPERM) return open_beneath_by_component(directory, relative, flags);
  return {};
}

Result<UniqueFd> open_region(const std::string& path, Access access, const PathPolicy& policy) {
  if (policy.allowed_base_dirs.empty()) {
    return refuse(path, "no base directory is allowed; list the driver's shm.base_dir in allowed_base_dirs");
  }
  if (auto error = check_spelling(path)) return *std::move(error);
  for (const std::string& base : policy.allowed_base_dirs) {
    const std::optional<std::string> resolved = canonical(base);
    if (!resolved) continue;
    std::optional<std::string> relative = below(path, base);
    if (!relative) relative = below(path, *resolved);
    if (relative) return open_below(path, *resolved, *relative, access);
  }
  return refuse(
      path,
      "it is not below an allowed base directory ({}); add its base directory to allowed_base_dirs if you trust it",
      listed(policy.allowed_base_dirs));
}

}  // namespace tensorpool::shm
