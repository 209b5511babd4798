// A directory below /dev/shm for one run: the media driver's files, the regions, and what the processes of the run
// share. It goes with its owner; a process forked from the owner leaves it alone. TENSORPOOL_BENCH_SCRATCH names
// another parent directory, whose owner sweeps up when this program itself is killed.
#pragma once

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <new>
#include <string>

#include "arguments.hpp"
#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "shm/mapping.hpp"

namespace tensorpool::bench {

class Scratch {
 public:
  Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::string aeron_dir() const { return path_ + "/aeron"; }
  [[nodiscard]] std::string base_dir() const { return path_ + "/shm"; }

 private:
  std::string path_;
  pid_t owner_;
};

// `bytes` bytes of shared memory in a new file of the directory, reserved and touched.
[[nodiscard]] shm::Mapping shared_memory(const Scratch& scratch, const std::string& name, std::size_t bytes);

// A T that all processes forked after its making share. T has atomics alone.
template <class T>
class Shared {
 public:
  Shared(const Scratch& scratch, const std::string& name)
      : memory_(shared_memory(scratch, name, sizeof(T))), value_(new (memory_.data()) T) {}

  [[nodiscard]] T* operator->() const noexcept { return value_; }
  [[nodiscard]] T& operator*() const noexcept { return *value_; }

 private:
  shm::Mapping memory_;
  T* value_;
};

}  // namespace tensorpool::bench
