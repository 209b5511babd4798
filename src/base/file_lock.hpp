// An advisory lock on a file that stays behind empty: one holder per path on this machine, gone with its process.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/unique_fd.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool {

class FileLock {
 public:
  // Errors: already_exists (another process holds it; names its pid when it wrote one), permission_denied, io_error.
  // The holder's pid stands in the file for people; nothing relies on it.
  [[nodiscard]] static Result<FileLock> try_acquire(const std::string& path, mode_t mode = 0660);

  FileLock(FileLock&&) noexcept = default;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  FileLock(UniqueFd fd, std::string path) noexcept : fd_(std::move(fd)), path_(std::move(path)) {}
  void release() noexcept;

  UniqueFd fd_;
  std::string path_;
};

}  // namespace tensorpool
