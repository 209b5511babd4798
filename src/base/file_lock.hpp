// An advisory lock on a file that stays behind empty: one holder of the whole, or one of each of its numbered parts, on
// this machine; gone with its process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/unique_fd.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool {

class FileLock {
 public:
  // Errors: already_exists (another process holds it; names its pid when it wrote one), permission_denied (also: the
  // file is not a lock file; it is left as it is), io_error. `mode` is that of a new file, whatever the umask.
  // The holder's pid stands in the file where the file system lets it be written: for people, and for those who want to
  // know sooner whether a dead holder made what they found; nobody needs it.
  [[nodiscard]] static Result<FileLock> try_acquire(const std::string& path, mode_t mode = 0660);

  // One part of the same file: several may be held at once, each by one holder, and none beside a holder of the whole.
  // Errors as above; already_exists says whether the whole or this part is taken.
  [[nodiscard]] static Result<FileLock> try_acquire_part(const std::string& path, std::uint32_t part,
                                                         mode_t mode = 0660);

  // Whether somebody holds the lock file, or a part of it; true, too, of one that this user may not
  // open or examine. Takes
  // nothing, so that nobody who wants the lock is refused for the sake of one who looks.
  [[nodiscard]] static bool is_held(const std::string& path) noexcept;
  // Of an open one, by whose file descriptor nothing is locked.
  [[nodiscard]] static bool is_held(int fd) noexcept;

  FileLock(FileLock&&) noexcept = default;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  FileLock(UniqueFd fd, std::string path, bool whole) noexcept
      : fd_(std::move(fd)), path_(std::move(path)), whole_(whole) {}
  void release() noexcept;

  UniqueFd fd_;
  std::string path_;
  bool whole_ = true;
};

}  // namespace tensorpool
