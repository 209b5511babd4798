// This machine, as /proc, /sys and /etc describe it; below a root that a test chooses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shm/system_calls.hpp"

namespace tensorpool::apps::tp {

struct Mount {
  std::string directory;
  std::string type;
  std::string options;
};

struct Caches {
  std::uint64_t l2_bytes = 0;          // of one core; 0: unknown
  std::uint64_t last_level_bytes = 0;  // 0: unknown
  std::uint32_t last_level = 0;        // 3 for L3
};

class Machine : public shm::SystemCalls {
 public:
  explicit Machine(std::string root = {}) : root_(std::move(root)) {}

  std::optional<std::string> read_text(const char* path) override;

  // The number that is all of a file's content, or that follows `key` at the start of one of its lines.
  [[nodiscard]] std::optional<std::uint64_t> number(const std::string& path);
  [[nodiscard]] std::optional<std::uint64_t> number(const std::string& path, std::string_view key);
  // The rest of the line that starts with `key`.
  [[nodiscard]] std::optional<std::string> line(const std::string& path, std::string_view key);
  [[nodiscard]] bool exists(const std::string& path) const;
  // Names in a directory, sorted; empty if there is none.
  [[nodiscard]] std::vector<std::string> names_in(const std::string& path) const;

  [[nodiscard]] std::vector<Mount> mounts();
  // The mount that holds the directory, whether that exists or not.
  [[nodiscard]] std::optional<Mount> mount_of(const std::string& directory);
  [[nodiscard]] Caches caches();

 private:
  std::string root_;
};

}  // namespace tensorpool::apps::tp
