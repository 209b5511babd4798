#include "apps/imaging/output_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>

#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

// Hidden, so that a reader of the directory passes it by, and another one for each file of each process.
std::string temporary_name(const std::string& path) {
  static std::atomic<std::uint64_t> files{0};
  const std::filesystem::path whole(path);
  const std::string name = fmt::format(".{}.{}.{}.part", whole.filename().string(), ::getpid(), ++files);
  return (whole.parent_path() / name).string();
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::string& path) {
  std::string temporary = temporary_name(path);
  UniqueFd fd(::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!fd) return errno_error(errno, "cannot create {}", path);
  return OutputFile(std::move(fd), path, std::move(temporary));
}

OutputFile::OutputFile(UniqueFd fd, std::string path, std::string temporary)
    : fd_(std::move(fd)), path_(std::move(path)), temporary_(std::move(temporary)) {}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

bool OutputFile::write(std::span<const std::byte> bytes) noexcept {
  while (!failed() && !bytes.empty()) {
    const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      fail(errno);
    } else {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }
  return !failed();
}

void OutputFile::fail(int errno_value) noexcept {
  if (error_ == 0) error_ = errno_value;
}

Status OutputFile::commit() {
  // A full disk or quota may be told only here (NFS).
  if (const int fd = fd_.release(); fd >= 0 && ::close(fd) != 0 && errno != EINTR) fail(errno);
  if (!failed() && ::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
  if (failed()) return error({});
  temporary_.clear();
  return {};
}

Error OutputFile::error(const std::string& otherwise) const {
  if (failed()) return errno_error(error_, "cannot write {}", path_);
  return make_error(ErrorCode::io_error, "cannot write {}: {}", path_, otherwise);
}

}  // namespace tensorpool::apps
