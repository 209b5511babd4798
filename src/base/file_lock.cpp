#include "base/file_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

#include "base/error.hpp"

namespace tensorpool {
namespace {

// The pid that the holder wrote, or "another process".
std::string holder_of(int fd) {
  std::array<char, 32> text{};
  const ssize_t n = ::pread(fd, text.data(), text.size() - 1, 0);
  int pid = 0;
  if (n <= 0 || std::from_chars(text.data(), text.data() + n, pid).ec != std::errc{}) return "another process";
  return fmt::format("process {}", pid);
}

// The whole file, or one byte for a part. A lock on it belongs to the open file, and not to the process as a plain
// POSIX lock would.
struct flock range_of(std::optional<std::uint32_t> part) {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(part.value_or(0));
  range.l_len = part ? 1 : 0;  // 0: to any end that the file may have
  return range;
}

Error taken(int fd, const std::string& path, std::optional<std::uint32_t> part) {
  struct flock other = range_of(part);
  if (part && ::fcntl(fd, F_OFD_GETLK, &other) == 0 && other.l_type != F_UNLCK && other.l_len == 1)
    return make_error(ErrorCode::already_exists, "part {} of {} is locked by another process", *part, path);
  return make_error(ErrorCode::already_exists, "{} is locked by {}", path, holder_of(fd));
}

Result<UniqueFd> open_locked(const std::string& path, mode_t mode, std::optional<std::uint32_t> part) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode));
  if (!fd) return errno_error(errno, "cannot open lock file {}", path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return errno_error(errno, "cannot examine lock file {}", path);
  if (!S_ISREG(info.st_mode))
    return make_error(ErrorCode::permission_denied, "lock file {} is not a regular file", path);
  struct flock range = range_of(part);
  if (::fcntl(fd.get(), F_OFD_SETLK, &range) != 0) {
    if (errno == EAGAIN || errno == EACCES) return taken(fd.get(), path, part);
    return errno_error(errno, "cannot lock {}", path);
  }
  if (info.st_uid == ::geteuid()) (void)::fchmod(fd.get(), mode);  // regardless of the umask; best effort
  // What a killed holder wrote is no longer true.
  if (::ftruncate(fd.get(), 0) != 0) return errno_error(errno, "cannot write lock file {}", path);
  return fd;
}

}  // namespace

Result<FileLock> FileLock::try_acquire(const std::string& path, mode_t mode) {
  auto fd = open_locked(path, mode, std::nullopt);
  if (!fd) return fd.error();
  const std::string pid = fmt::format("{}\n", ::getpid());
  // Best effort: on hugetlbfs a file is mapped and cannot be written, a file system may be full; it locks all the same.
  if (::pwrite(fd->get(), pid.data(), pid.size(), 0) < 0) (void)::ftruncate(fd->get(), 0);
  return FileLock(*std::move(fd), path, true);
}

Result<FileLock> FileLock::try_acquire_part(const std::string& path, std::uint32_t part, mode_t mode) {
  auto fd = open_locked(path, mode, part);
  if (!fd) return fd.error();
  return FileLock(*std::move(fd), path, false);
}

bool FileLock::is_held(const std::string& path) noexcept {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  return fd ? is_held(fd.get()) : errno != ENOENT;
}

bool FileLock::is_held(int fd) noexcept {
  struct flock other = range_of(std::nullopt);
  return ::fcntl(fd, F_OFD_GETLK, &other) == 0 && other.l_type != F_UNLCK;
}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  if (this != &other) {
    release();
    fd_ = std::move(other.fd_);
    path_ = std::move(other.path_);
    whole_ = other.whole_;
  }
  return *this;
}

FileLock::~FileLock() { release(); }

void FileLock::release() noexcept {
  if (!fd_) return;
  if (whole_)
    (void)!::ftruncate(fd_.get(), 0);  // the file stays, empty: unlinking it would let two processes lock two inodes
  fd_.reset();
}

}  // namespace tensorpool
