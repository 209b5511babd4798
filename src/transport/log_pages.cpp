#include "transport/log_pages.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cinttypes>
#include <cstdio>
#include <memory>

namespace tensorpool::transport {
namespace {

constexpr std::uint64_t most_bytes = 64ULL << 20U;
constexpr std::uint64_t block_bytes = 512;  // of st_blocks

}  // namespace

void enter_log_pages(const std::string& path) noexcept {
#if defined(MADV_POPULATE_WRITE)
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return;
  const auto bytes = static_cast<std::uint64_t>(file.st_size);
  if (bytes > most_bytes || static_cast<std::uint64_t>(file.st_blocks) * block_bytes < bytes) return;
  // Aeron does not say where it has mapped a log; by the file's number the system does.
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> maps(std::fopen("/proc/self/maps", "re"), &std::fclose);
  if (!maps) return;
  char line[512];
  while (std::fgets(line, sizeof line, maps.get()) != nullptr) {
    void* begin = nullptr;
    void* end = nullptr;
    unsigned major_number = 0;
    unsigned minor_number = 0;
    std::uint64_t inode = 0;
    if (std::sscanf(line, "%p-%p rw%*s %*x %x:%x %" SCNu64, &begin, &end, &major_number, &minor_number, &inode) == 5 &&
        inode == file.st_ino && makedev(major_number, minor_number) == file.st_dev) {
      const auto length = static_cast<std::size_t>(static_cast<char*>(end) - static_cast<char*>(begin));
      static_cast<void>(::madvise(begin, length, MADV_POPULATE_WRITE));  // advice only
    }
  }
#else
  static_cast<void>(path);
#endif
}

}  // namespace tensorpool::transport
