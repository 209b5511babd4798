#include "transport/media_driver_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>

#include "base/error.hpp"

namespace tensorpool::transport {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> own_directories{"", "/publications", "/images"};

bool is_media_drivers_file(const std::string& name) {
  constexpr std::array<std::string_view, 4> names{"cnc.dat", "loss-report.dat", "publications", "images"};
  // Aeron's own tools leave logs of earlier errors.
  return std::find(names.begin(), names.end(), name) != names.end() || name.ends_with("-error.log");
}

Status check_parents(const fs::path& dir) {
  for (fs::path parent = dir.parent_path();; parent = parent.parent_path()) {
    struct stat info {};
    if (::stat(parent.c_str(), &info) != 0) {
      return errno_error(errno, "no media driver in {}: cannot examine {}; create it, or name another aeron_dir",
                         dir.string(), parent.string());
    }
    const bool open_to_all = (info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0;
    if (open_to_all) {
      return make_error(
          ErrorCode::permission_denied,
          "no media driver in {}: {} is writable by everybody (mode {:04o}), who could replace the directory; "
          "name another aeron_dir or set the sticky bit",
          dir.string(), parent.string(), info.st_mode & 07777U);
    }
    if (parent == parent.root_path()) return {};
  }
}

Status check_contents(const std::string& dir) {
  std::error_code fault;
  for (fs::directory_iterator at(dir, fault), end; !fault && at != end; at.increment(fault)) {
    const std::string name = at->path().filename().string();
    if (!is_media_drivers_file(name)) {
      return make_error(ErrorCode::invalid_argument,
                        "no media driver in {}: it would delete this directory, which holds {}; name another aeron_dir",
                        dir, name);
    }
  }
  if (fault) return errno_error(fault.value(), "cannot list {}", dir);
  return {};
}

}  // namespace

Result<std::string> tidy_directory(const std::string& dir) {
  std::error_code fault;
  fs::path path = fs::absolute(dir, fault).lexically_normal();
  if (fault) return errno_error(fault.value(), "cannot resolve {}", dir);
  if (!path.has_filename()) path = path.parent_path();
  if (!path.has_filename())
    return make_error(ErrorCode::invalid_argument, "{} cannot be a media driver's directory", dir);
  return path.string();
}

Status check_directory(const std::string& dir) {
  if (Status parents = check_parents(dir); !parents) return parents;
  struct stat info {};
  if (::lstat(dir.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return errno_error(errno, "cannot examine {}", dir);
  }
  if (!S_ISDIR(info.st_mode)) return make_error(ErrorCode::invalid_argument, "{} is not a directory", dir);
  if (info.st_uid != ::geteuid() && ::geteuid() != 0) {
    return make_error(ErrorCode::permission_denied, "{} belongs to user {}, not to user {}; name another aeron_dir",
                      dir, info.st_uid, ::geteuid());
  }
  return check_contents(dir);
}

Status protect_directory(const std::string& dir, bool group_access) {
  for (const std::string_view name : own_directories) {
    const std::string path = dir + std::string(name);
    if (::chmod(path.c_str(), group_access ? 02770 : 0700) != 0)
      return errno_error(errno, "cannot set the mode of {}", path);
  }
  return {};
}

}  // namespace tensorpool::transport
