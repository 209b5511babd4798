// What keeps a process alive when a region file is truncated under its mapping: a table of the ranges that are mapped
// and, once install_sigbus_guard() was called, a SIGBUS handler that lays zero pages over the range that was touched.
// Zeros are no committed frame: whoever reads or writes there goes on, and nothing of it is believed. The range is
// marked lost, which its owner sees when it looks. Ranges are entered and left under a lock, by who maps and unmaps;
// the handler reads the table without one. Nothing is asked per frame.
#pragma once

#include <cstddef>
#include <utility>

#include "shm/path_policy.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::shm {

// A range's place in the table, for as long as it is mapped.
class GuardedRange {
 public:
  struct Entry;

  GuardedRange() = default;
  // REQUIRES: [address, address + length) is mapped, and stays so until this is gone.
  GuardedRange(void* address, std::size_t length, Access access);
  GuardedRange(GuardedRange&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  GuardedRange& operator=(GuardedRange&& other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~GuardedRange();

  // When this range is lost, `ring` is lost first: zeros in a payload are only known to be none by their header.
  // REQUIRES: `ring` stays as long as this range is touched.
  void fall_after(const GuardedRange& ring) noexcept;
  // Whether a touch found no memory, so that this range reads zeros and what is written into it goes nowhere.
  [[nodiscard]] bool is_lost() const noexcept;

 private:
  Entry* entry_ = nullptr;
};

// Process-wide and for good; a second call does nothing. A SIGBUS that is none of ours goes to the handler that was
// there before. Any thread. Error: what sigaction answers.
[[nodiscard]] Status install_sigbus_guard();

}  // namespace tensorpool::shm
