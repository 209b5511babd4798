#include "apps/demo/demo_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "tensorpool-demo.";

// Beside the directory's content, so that it goes with it.
std::string lock_path(const std::string& directory) { return directory + "/lock"; }

std::uint64_t free_bytes(const std::string& path) {
  struct statvfs info {};
  return ::statvfs(path.c_str(), &info) == 0 ? std::uint64_t{info.f_bavail} * info.f_frsize : 0;
}

bool is_mine(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::geteuid();
}

}  // namespace

Result<DemoDirectory> DemoDirectory::create(std::uint64_t bytes_needed) {
  const std::string parent = free_bytes("/dev/shm") >= bytes_needed ? "/dev/shm" : "/tmp";
  remove_abandoned_directories("/dev/shm");
  remove_abandoned_directories("/tmp");
  std::string path = parent + "/" + std::string(prefix) + "XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return errno_error(errno, "cannot create a directory below {}", parent);
  auto lock = FileLock::try_acquire(lock_path(path), 0600);
  if (!lock) return lock.error();
  return DemoDirectory(std::move(path), std::move(*lock));
}

DemoDirectory::DemoDirectory(DemoDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)), keep_(other.keep_) {}

DemoDirectory::~DemoDirectory() {
  std::error_code ignored;
  if (!path_.empty() && !keep_) fs::remove_all(path_, ignored);
}

void DemoDirectory::keep() noexcept {
  keep_ = true;
  ::unlink(lock_path(path_).c_str());  // what has no lock is not swept up by the next run
}

void remove_abandoned_directories(const std::string& parent) {
  std::error_code error;
  for (fs::directory_iterator entry(parent, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const std::string path = entry->path().string();
    if (entry->path().filename().string().rfind(prefix, 0) != 0 || !is_mine(path)) continue;
    // Without its lock file a directory is being made right now, or was kept on purpose.
    if (::access(lock_path(path).c_str(), F_OK) != 0) continue;
    const auto lock = FileLock::try_acquire(lock_path(path), 0600);
    std::error_code ignored;
    if (lock) fs::remove_all(path, ignored);
  }
}

}  // namespace tensorpool::apps
