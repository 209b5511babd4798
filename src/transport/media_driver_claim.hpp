// MediaDriverClaim: the sole right to a number among all who use one media driver, by whatever path they reach its
// directory: a bind mount of it has other names beside it, but the same files in it. Ends with the object, with its
// process, and with the media driver, whose successor makes new files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tensorpool/result.hpp"

namespace tensorpool::transport {

class MediaDriverClaim {
 public:
  // REQUIRES: a media driver serves the directory. already_exists if another process, or another claim, has the number.
  [[nodiscard]] static Result<MediaDriverClaim> take(const std::string& aeron_dir, std::uint32_t number);

 private:
  explicit MediaDriverClaim(std::shared_ptr<void> held) noexcept : held_(std::move(held)) {}

  std::shared_ptr<void> held_;
};

}  // namespace tensorpool::transport
