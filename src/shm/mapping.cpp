#include "shm/mapping.hpp"

#include <sys/mman.h>
#include <sys/vfs.h>

#include <cerrno>
#include <limits>

#include "base/error.hpp"
#include "shm/system_calls.hpp"

namespace tensorpool::shm {

Result<Mapping> Mapping::map(int fd, std::uint64_t length, Access access) {
  struct statfs file_system {};
  if (::fstatfs(fd, &file_system) != 0) return errno_error(errno, "cannot ask for the file system of a region");
  if (is_hugetlbfs(file_system)) length = round_up(length, static_cast<std::uint64_t>(file_system.f_bsize));
  if (length > std::numeric_limits<std::size_t>::max()) {
    return make_error(ErrorCode::no_space, "a region of {} bytes does not fit into this process's address space",
                      length);
  }
  const int protection = access == Access::read_write ? PROT_READ | PROT_WRITE : PROT_READ;
  void* address = ::mmap(nullptr, static_cast<std::size_t>(length), protection, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) return errno_error(errno, "cannot map {} bytes", length);
  return Mapping(address, static_cast<std::size_t>(length), access);
}

void Mapping::populate(Access access) const noexcept {
#if defined(MADV_POPULATE_READ)
  static_cast<void>(
      ::madvise(address_, length_, access == Access::read_write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ));
#endif
}

Mapping::~Mapping() {
  guard_ = {};  // before somebody else's memory can lie there
  if (address_ != nullptr) ::munmap(address_, length_);
}

}  // namespace tensorpool::shm
