#include "apps/flow/crc_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <tuple>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace tensorpool::apps {
namespace {

constexpr std::size_t record_bytes = 24;
constexpr std::size_t buffer_bytes = record_bytes * 4096;

Status write_all(int fd, const std::byte* from, std::size_t length, const std::string& path) {
  while (length > 0) {
    const ssize_t written = ::write(fd, from, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_error(errno, "cannot write the CRC log {}", path);
    from += written;
    length -= static_cast<std::size_t>(written);
  }
  return {};
}

// What a killed or failed writer left would put every later record out of place.
void drop_partial_record(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return;
  const off_t partial = info.st_size % static_cast<off_t>(record_bytes);
  if (partial != 0) std::ignore = ::ftruncate(fd, info.st_size - partial);
}

CrcRecord decode(const std::byte* from) {
  return {load_le<std::uint64_t>(from), load_le<std::uint64_t>(from + 8), load_le<std::uint32_t>(from + 16),
          load_le<std::uint32_t>(from + 20)};
}

auto place(const CrcRecord& record) { return std::tuple(record.epoch, record.seq); }
bool is_earlier(const CrcRecord& a, const CrcRecord& b) { return place(a) < place(b); }

}  // namespace

CrcLogWriter::CrcLogWriter(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {
  buffer_.reserve(buffer_bytes);
}

CrcLogWriter::~CrcLogWriter() {
  if (fd_) std::ignore = flush();
}

Result<CrcLogWriter> CrcLogWriter::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!fd) return errno_error(errno, "cannot open the CRC log {}", path);
  drop_partial_record(fd.get());
  return CrcLogWriter(std::move(fd), path);
}

void CrcLogWriter::append(const CrcRecord& record) {
  std::byte bytes[record_bytes];
  store_le(bytes, record.epoch);
  store_le(bytes + 8, record.seq);
  store_le(bytes + 16, record.crc);
  store_le(bytes + 20, record.bytes);
  buffer_.insert(buffer_.end(), bytes, bytes + record_bytes);
  if (buffer_.size() >= buffer_bytes) std::ignore = flush();
}

Status CrcLogWriter::flush() {
  if (!failure_ && fd_) {
    auto written = write_all(fd_.get(), buffer_.data(), buffer_.size(), path_);
    if (!written) {
      failure_ = written.error();
      drop_partial_record(fd_.get());
    }
  }
  buffer_.clear();
  if (failure_) return *failure_;
  return {};
}

Status CrcLogWriter::close() {
  if (Status flushed = flush(); !flushed) return flushed;
  if (const int fd = fd_.release(); fd >= 0 && ::close(fd) != 0 && errno != EINTR) {
    failure_ = errno_error(errno, "cannot write the CRC log {}", path_);
    return *failure_;
  }
  return {};
}

Result<std::optional<CrcLogWriter>> open_crc_log_if_named(const std::string& path) {
  if (path.empty()) return std::optional<CrcLogWriter>();
  auto log = CrcLogWriter::open(path);
  if (!log) return log.error();
  return std::optional<CrcLogWriter>(std::move(*log));
}

Result<std::vector<CrcRecord>> read_crc_log(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error(errno, "cannot read the CRC log {}", path);
  std::vector<CrcRecord> records;
  std::vector<std::byte> buffer(buffer_bytes);
  std::size_t held = 0;
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer.data() + held, buffer.size() - held);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "cannot read the CRC log {}", path);
    if (got == 0) return records;
    held += static_cast<std::size_t>(got);
    const std::size_t whole = held / record_bytes * record_bytes;
    for (std::size_t at = 0; at < whole; at += record_bytes) records.push_back(decode(buffer.data() + at));
    std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(whole), buffer.begin() + static_cast<std::ptrdiff_t>(held),
              buffer.begin());
    held -= whole;
  }
}

CrcComparison compare_crc_logs(std::vector<CrcRecord> sent, const std::vector<CrcRecord>& delivered) {
  std::sort(sent.begin(), sent.end(), is_earlier);
  std::vector<bool> seen(sent.size());
  CrcComparison result;
  for (const CrcRecord& record : delivered) {
    const auto found = std::lower_bound(sent.begin(), sent.end(), record, is_earlier);
    const bool known = found != sent.end() && place(*found) == place(record);
    const auto index = static_cast<std::size_t>(found - sent.begin());
    std::uint64_t& count = !known                ? result.unknown
                           : seen[index]         ? result.repeated
                           : !(*found == record) ? result.different
                                                 : result.verified;
    ++count;
    if (known) seen[index] = true;
    if (&count != &result.verified && !result.example) result.example = record;
  }
  return result;
}

}  // namespace tensorpool::apps
