// A shared file mapping that is unmapped when its owner goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "shm/path_policy.hpp"
#include "shm/sigbus_guard.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::shm {

class Mapping {
 public:
  Mapping() = default;
  // Maps the first `length` bytes of `fd`, MAP_SHARED. On hugetlbfs the length is rounded up to its page.
  // REQUIRES: length > 0 and the file is at least that long.
  [[nodiscard]] static Result<Mapping> map(int fd, std::uint64_t length, Access access);

  Mapping(Mapping&& other) noexcept
      : address_(std::exchange(other.address_, nullptr)),
        length_(std::exchange(other.length_, 0)),
        guard_(std::move(other.guard_)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(address_, other.address_);
    std::swap(length_, other.length_);
    guard_ = std::move(other.guard_);
    return *this;
  }
  ~Mapping();

  // Enters all of it into this process's page tables, so that the first lap of a ring takes no page faults. A hint: a
  // kernel before 5.14 knows it not. Of a sparse file it would take blocks: ask for it only where they are reserved.
  void populate(Access access) const noexcept;

  [[nodiscard]] std::byte* data() const noexcept { return static_cast<std::byte*>(address_); }
  [[nodiscard]] std::size_t size() const noexcept { return length_; }
  // When this is lost, `ring` is lost first (GuardedRange). REQUIRES: `ring` lives as long as this is touched.
  void fall_after(const Mapping& ring) noexcept { guard_.fall_after(ring.guard_); }
  // Whether the file was truncated under it, and zeros lie there instead.
  [[nodiscard]] bool is_lost() const noexcept { return guard_.is_lost(); }

 private:
  Mapping(void* address, std::size_t length, Access access)
      : address_(address), length_(length), guard_(address, length, access) {}

  void* address_ = nullptr;
  std::size_t length_ = 0;
  GuardedRange guard_;
};

}  // namespace tensorpool::shm
