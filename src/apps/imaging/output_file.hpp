// A file that is there whole or not at all: it is written under a temporary name in its directory, and takes its own
// name when everything was written and closed. Every failure is an error that names the file and says the system's
// reason.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "base/unique_fd.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::apps {

class OutputFile {
 public:
  // REQUIRES: the process ignores SIGXFSZ (install_stop_signal), or its limit of a file's size kills it.
  [[nodiscard]] static Result<OutputFile> create(const std::string& path);
  OutputFile(OutputFile&&) noexcept = default;
  OutputFile& operator=(OutputFile&&) = delete;
  // Removes what was not committed.
  ~OutputFile();

  // After a failure nothing more is written; commit() returns the error.
  bool write(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // For a library that wrote to fd() itself: an errno value.
  void fail(int errno_value) noexcept;
  [[nodiscard]] bool failed() const noexcept { return error_ != 0; }
  // Closes, and gives the file its name, in place of one that has it.
  [[nodiscard]] Status commit();
  // What went wrong, or that `otherwise` did.
  [[nodiscard]] Error error(const std::string& otherwise) const;

 private:
  OutputFile(UniqueFd fd, std::string path, std::string temporary);

  UniqueFd fd_;
  std::string path_;
  std::string temporary_;
  int error_ = 0;
};

}  // namespace tensorpool::apps
