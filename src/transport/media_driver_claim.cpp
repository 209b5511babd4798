// A lock on one byte of the command-and-control file, far behind its end.
#include "transport/media_driver_claim.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace tensorpool::transport {
namespace {

constexpr off_t first_byte = off_t{1} << 40;

}  // namespace

Result<MediaDriverClaim> MediaDriverClaim::take(const std::string& aeron_dir, std::uint32_t number) {
  const std::string file = aeron_dir + "/cnc.dat";
  auto held = std::make_shared<UniqueFd>(::open(file.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!*held) return errno_error(errno, "cannot open {}", file);
  struct flock byte {};
  byte.l_type = F_WRLCK;
  byte.l_whence = SEEK_SET;
  byte.l_start = first_byte + static_cast<off_t>(number);
  byte.l_len = 1;
  // Of the handle, not of the process: two in one process exclude each other too.
  if (::fcntl(held->get(), F_OFD_SETLK, &byte) == 0) return MediaDriverClaim(std::move(held));
  if (errno == EAGAIN || errno == EACCES)
    return make_error(ErrorCode::already_exists, "byte {} of {} is locked by another process", byte.l_start, file);
  return errno_error(errno, "cannot lock byte {} of {}", byte.l_start, file);
}

}  // namespace tensorpool::transport
