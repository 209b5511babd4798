#include "scratch.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace tensorpool::bench {

Scratch::Scratch() : owner_(::getpid()) {
  const char* const parent = std::getenv("TENSORPOOL_BENCH_SCRATCH");
  path_ = std::string(parent == nullptr ? "/dev/shm" : parent) + "/tensorpool-bench-XXXXXX";
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error(errno_error(errno, "cannot make {}", path_).message);
  std::filesystem::create_directory(base_dir());
  ::chmod(base_dir().c_str(), 0755);
}

Scratch::~Scratch() {
  std::error_code ignored;
  if (::getpid() == owner_) std::filesystem::remove_all(path_, ignored);
}

shm::Mapping shared_memory(const Scratch& scratch, const std::string& name, std::size_t bytes) {
  const std::string path = scratch.path() + "/" + name;
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const int failed = file ? ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes)) : errno;
  if (failed != 0) throw std::runtime_error(errno_error(failed, "cannot reserve {} bytes in {}", bytes, path).message);
  shm::Mapping memory = need(shm::Mapping::map(file.get(), bytes, shm::Access::read_write));
  std::memset(memory.data(), 0, bytes);
  return memory;
}

}  // namespace tensorpool::bench
