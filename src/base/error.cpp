#include "base/error.hpp"

#include <array>
#include <cerrno>
#include <cstring>

namespace tensorpool {

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid argument";
    case ErrorCode::invalid_config:
      return "invalid configuration";
    case ErrorCode::not_found:
      return "not found";
    case ErrorCode::already_exists:
      return "already exists";
    case ErrorCode::permission_denied:
      return "permission denied";
    case ErrorCode::no_space:
      return "no space";
    case ErrorCode::timed_out:
      return "timed out";
    case ErrorCode::refused:
      return "refused";
    case ErrorCode::protocol_error:
      return "protocol error";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::io_error:
      return "input/output error";
    case ErrorCode::closed:
      return "closed";
  }
  return "unknown error";
}

ErrorCode code_of_errno(int errno_value) noexcept {
  switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
      return ErrorCode::no_space;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::permission_denied;
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::not_found;
    case EEXIST:
      return ErrorCode::already_exists;
    case EINVAL:
      return ErrorCode::invalid_argument;
    case ETIMEDOUT:
      return ErrorCode::timed_out;
    default:
      return ErrorCode::io_error;
  }
}

std::string errno_text(int errno_value) {
  std::array<char, 128> place{};
  std::string text = ::strerror_r(errno_value, place.data(), place.size());  // GNU's, which answers the text
  switch (errno_value) {
    case EMFILE:
      return text + " (this process's limit: ulimit -n, LimitNOFILE of a service)";
    case EFBIG:
      return text + " (this process's limit: ulimit -f, LimitFSIZE of a service; or the file system's)";
    default:
      return text;
  }
}

}  // namespace tensorpool
