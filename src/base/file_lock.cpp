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

struct Opened {
  UniqueFd fd;
  bool created = false;
};

// Creates the file if there is none; errno if neither works.
Opened open_or_create(const std::string& path, mode_t mode) {
  constexpr int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  for (int attempt = 0; attempt < 3; ++attempt) {  // another process may create or remove it in between
    if (UniqueFd fd(::open(path.c_str(), flags)); fd || errno != ENOENT) return {std::move(fd)};
    if (UniqueFd fd(::open(path.c_str(), flags | O_CREAT | O_EXCL, mode)); fd || errno != EEXIST)
      return {std::move(fd), true};
  }
  return {};
}

// Whether this is what a FileLock leaves: nothing, or a pid and a line end.
bool has_lock_content(int fd, off_t size) {
  if (size == 0) return true;
  std::array<char, 24> text{};
  if (size > static_cast<off_t>(text.size()) || ::pread(fd, text.data(), text.size(), 0) != size) return false;
  int pid = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + size, pid);
  return fault == std::errc{} && pid > 0 && end + 1 == text.data() + size && *end == '\n';
}

// A file that is not a lock file is neither locked nor changed: a path may name a user's file by mistake.
Status check_lock_file(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return errno_error(errno, "cannot examine lock file {}", path);
  if (!S_ISREG(info.st_mode))
    return make_error(ErrorCode::permission_denied, "lock file {} is not a regular file", path);
  if (info.st_nlink == 1 && has_lock_content(fd, info.st_size)) return {};
  return make_error(ErrorCode::permission_denied,
                    "{} is not a lock file: {}; it stays as it is, remove it or change the path", path,
                    info.st_nlink == 1 ? "it has other content" : "it does not have exactly one name");
}

Result<UniqueFd> open_locked(const std::string& path, mode_t mode, std::optional<std::uint32_t> part) {
  Opened opened = open_or_create(path, mode);
  UniqueFd fd = std::move(opened.fd);
  if (!fd) return errno_error(errno, "cannot open lock file {}", path);
  if (Status ours = check_lock_file(fd.get(), path); !ours) return ours.error();
  struct flock range = range_of(part);
  if (::fcntl(fd.get(), F_OFD_SETLK, &range) != 0) {
    if (errno == EAGAIN || errno == EACCES) return taken(fd.get(), path, part);
    return errno_error(errno, "cannot lock {}", path);
  }
  if (opened.created) (void)::fchmod(fd.get(), mode);  // regardless of the umask; best effort
  // What a killed holder wrote is no longer true. Checked again: the lock keeps other FileLocks from writing, and a
  // holder may have written its pid while this process looked the first time.
  if (Status ours = check_lock_file(fd.get(), path); !ours) return ours.error();
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
  return ::fcntl(fd, F_OFD_GETLK, &other) != 0 || other.l_type != F_UNLCK;
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
