#include "base/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <charconv>

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

}  // namespace

Result<FileLock> FileLock::try_acquire(const std::string& path, mode_t mode) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode));
  if (!fd) return errno_error(errno, "cannot open lock file {}", path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return errno_error(errno, "cannot examine lock file {}", path);
  if (!S_ISREG(info.st_mode))
    return make_error(ErrorCode::permission_denied, "lock file {} is not a regular file", path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return make_error(ErrorCode::already_exists, "{} is locked by {}", path, holder_of(fd.get()));
    return errno_error(errno, "cannot lock {}", path);
  }
  if (info.st_uid == ::geteuid()) (void)::fchmod(fd.get(), mode);  // regardless of the umask; best effort
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
    return errno_error(errno, "cannot write lock file {}", path);
  }
  return FileLock(std::move(fd), path);
}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  if (this != &other) {
    release();
    fd_ = std::move(other.fd_);
    path_ = std::move(other.path_);
  }
  return *this;
}

FileLock::~FileLock() { release(); }

void FileLock::release() noexcept {
  if (!fd_) return;
  (void)!::ftruncate(fd_.get(), 0);  // the file stays, empty: unlinking it would let two processes lock two inodes
  fd_.reset();
}

}  // namespace tensorpool
