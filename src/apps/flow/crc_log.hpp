// What a producer sent and what a consumer received, written down beside the frame path: one record per frame with the
// CRC32C of its payload. Two logs of one stream show whether every delivered frame is the one that was sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::apps {

// 24 bytes in the file, little-endian, in this order.
struct CrcRecord {
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  std::uint32_t crc = 0;
  std::uint32_t bytes = 0;
  bool operator==(const CrcRecord&) const = default;
};

class CrcLogWriter {
 public:
  // Appends to `path`; creates it if it is not there. A last record that was cut off is removed.
  [[nodiscard]] static Result<CrcLogWriter> open(const std::string& path);
  CrcLogWriter(CrcLogWriter&&) noexcept = default;
  CrcLogWriter& operator=(CrcLogWriter&&) noexcept = default;
  ~CrcLogWriter();

  // Buffers; a full buffer is written at once.
  void append(const CrcRecord& record);
  // Writes what is buffered. After a failure nothing more is written and every later call returns the error again.
  [[nodiscard]] Status flush();
  // flush(), and what closing says. Nothing may be appended afterwards.
  [[nodiscard]] Status close();

 private:
  CrcLogWriter(UniqueFd fd, std::string path);

  UniqueFd fd_;
  std::string path_;
  std::vector<std::byte> buffer_;
  std::optional<Error> failure_;
};

// As open(); nothing for an empty path.
[[nodiscard]] Result<std::optional<CrcLogWriter>> open_crc_log_if_named(const std::string& path);

// A last record that was cut off (its writer was killed) is left out.
[[nodiscard]] Result<std::vector<CrcRecord>> read_crc_log(const std::string& path);

struct CrcComparison {
  std::uint64_t verified = 0;          // delivered with the length and CRC that were sent
  std::uint64_t different = 0;         // delivered with others
  std::uint64_t unknown = 0;           // delivered, but never sent
  std::uint64_t repeated = 0;          // delivered more than once
  std::optional<CrcRecord> example{};  // the first delivered record that is not right
  [[nodiscard]] bool all_right() const noexcept { return different + unknown + repeated == 0; }
};
[[nodiscard]] CrcComparison compare_crc_logs(std::vector<CrcRecord> sent, const std::vector<CrcRecord>& delivered);

}  // namespace tensorpool::apps
