#include "shm/system_calls.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/unique_fd.hpp"

namespace tensorpool::shm {
namespace {

// Writes to each page; for kernels before 5.14. The pages are ours alone and zero, so rewriting a byte changes nothing.
void touch_pages(void* address, std::size_t length) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  auto* bytes = static_cast<volatile unsigned char*>(address);
  for (std::size_t i = 0; i < length; i += page) bytes[i] = bytes[i];
}

// The kernel's word for a file beyond the process's limit is a signal, which kills.
bool exceeds_limit(std::uint64_t size) {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur) return false;
  errno = EFBIG;
  return true;
}

}  // namespace

int SystemCalls::open_at(int directory, const char* path, int flags, mode_t mode) {
  return ::openat(directory, path, flags, mode);
}

int SystemCalls::make_directory_at(int directory, const char* path, mode_t mode) {
  return ::mkdirat(directory, path, mode);
}

int SystemCalls::change_mode(int fd, mode_t mode) { return ::fchmod(fd, mode); }

int SystemCalls::truncate(int fd, std::uint64_t length) {
  return exceeds_limit(length) ? -1 : ::ftruncate(fd, static_cast<off_t>(length));
}

int SystemCalls::reserve(int fd, std::uint64_t offset, std::uint64_t length) {
  if (exceeds_limit(offset + length)) return -1;
  int error;
  do {
    error = ::posix_fallocate(fd, static_cast<off_t>(offset), static_cast<off_t>(length));
  } while (error == EINTR);
  errno = error;
  return error == 0 ? 0 : -1;
}

void* SystemCalls::map(int fd, std::uint64_t offset, std::size_t length) {
  void* address = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
  return address == MAP_FAILED ? nullptr : address;
}

int SystemCalls::unmap(void* address, std::size_t length) { return ::munmap(address, length); }

int SystemCalls::populate(void* address, std::size_t length) {
  if (::madvise(address, length, MADV_POPULATE_WRITE) == 0) return 0;
  if (errno != EINVAL) return -1;
  touch_pages(address, length);
  return 0;
}

int SystemCalls::lock(void* address, std::size_t length) { return ::mlock(address, length); }

int SystemCalls::rename_at(int directory, const char* from, const char* to) {
  if (::renameat2(directory, from, directory, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != ENOSYS && errno != EINVAL) return -1;
  // A file system without RENAME_NOREPLACE. The namespace's lock keeps everybody else out, so looking first is enough.
  struct stat existing {};
  if (::fstatat(directory, to, &existing, AT_SYMLINK_NOFOLLOW) == 0) {
    errno = EEXIST;
    return -1;
  }
  return ::renameat(directory, from, directory, to);
}

int SystemCalls::unlink_at(int directory, const char* path, int flags) { return ::unlinkat(directory, path, flags); }

// The kernel leases a file for writing to its only user. Nobody can come later to a file without a name.
bool SystemCalls::is_sole_user(int fd) { return ::fcntl(fd, F_SETLEASE, F_WRLCK) == 0; }

int SystemCalls::file_system_of(int fd, struct statfs* out) { return ::fstatfs(fd, out); }

int SystemCalls::file_system_space(const char* path, struct statvfs* out) { return ::statvfs(path, out); }

int SystemCalls::file_system_of_path(const char* path, struct statfs* out) { return ::statfs(path, out); }

std::optional<std::string> SystemCalls::read_text(const char* path) {
  const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string text;
  std::array<char, 4096> buffer;
  constexpr std::size_t longest = 1U << 20;
  for (ssize_t got = 0; text.size() < longest && (got = ::read(file.get(), buffer.data(), buffer.size())) != 0;) {
    if (got > 0)
      text.append(buffer.data(), static_cast<std::size_t>(got));
    else if (errno != EINTR)
      return std::nullopt;
  }
  return text;
}

SystemCalls& system_calls() noexcept {
  static SystemCalls kernel;
  return kernel;
}

}  // namespace tensorpool::shm
