// The system calls that make and remove region files, behind a seam: a test fails the n-th one, or reports a full file
// system, where the real thing would need a machine in that state. Each method is the call of its name: -1 and errno on
// failure.
#pragma once

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/vfs.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace tensorpool::shm {

class SystemCalls {
 public:
  virtual ~SystemCalls() = default;

  virtual int open_at(int directory, const char* path, int flags, mode_t mode);
  virtual int make_directory_at(int directory, const char* path, mode_t mode);
  virtual int change_mode(int fd, mode_t mode);
  virtual int truncate(int fd, std::uint64_t length);
  // Reserves blocks for [offset, offset + length).
  virtual int reserve(int fd, std::uint64_t offset, std::uint64_t length);
  // MAP_SHARED, read and write; nullptr on failure.
  virtual void* map(int fd, std::uint64_t offset, std::size_t length);
  virtual int unmap(void* address, std::size_t length);
  // Makes every page of a mapping present and writable; fails where a touch would have killed the process.
  virtual int populate(void* address, std::size_t length);
  virtual int lock(void* address, std::size_t length);
  // Fails with EEXIST when `to` exists.
  virtual int rename_at(int directory, const char* from, const char* to);
  virtual int unlink_at(int directory, const char* path, int flags);
  // Whether nobody but this handle has the file open or mapped. REQUIRES: the file has no name any more.
  virtual bool is_sole_user(int fd);
  virtual int file_system_of(int fd, struct statfs* out);
  virtual int file_system_space(const char* path, struct statvfs* out);
  virtual int file_system_of_path(const char* path, struct statfs* out);
  // The content of a small text file such as /proc/meminfo; nothing if it cannot be read.
  virtual std::optional<std::string> read_text(const char* path);
};

// The kernel's.
[[nodiscard]] SystemCalls& system_calls() noexcept;

// f_type of hugetlbfs and tmpfs, as the kernel numbers them.
inline constexpr std::uint64_t hugetlbfs_type = 0x958458f6;
inline constexpr std::uint64_t tmpfs_type = 0x01021994;
inline constexpr std::uint64_t ramfs_type = 0x858458f6;

[[nodiscard]] inline bool is_type(const struct statfs& file_system, std::uint64_t type) noexcept {
  return (static_cast<std::uint64_t>(file_system.f_type) & 0xffffffffU) == type;
}
[[nodiscard]] inline bool is_hugetlbfs(const struct statfs& file_system) noexcept {
  return is_type(file_system, hugetlbfs_type);
}

// REQUIRES: unit > 0, and the result fits.
[[nodiscard]] constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) noexcept {
  return (value + unit - 1) / unit * unit;
}

}  // namespace tensorpool::shm
