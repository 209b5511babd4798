// An Aeron media driver inside this process, on one thread of its own: for a program that brings all it needs.
// Everybody who may write its directory is fully trusted by everybody who uses it; the directory is private to the user
// or, with group_access, to the group.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool {

struct MediaDriverOptions {
  std::string aeron_dir{};    // empty = Aeron's default, /dev/shm/aeron-<user>
  bool group_access = false;  // directory mode 2770 instead of 0700
  bool use_living = false;    // one that somebody else runs there is used, and none started
  Nanos patience_ns = 0;      // for the heartbeat of a media driver killed a moment ago to run out (about ten seconds)
  // Called from the media driver's thread with each error of its own. Must not throw.
  std::function<void(int code, std::string_view message)> on_error{};
};

// One that was moved from may only be destroyed or assigned to.
class MediaDriver {
 public:
  // already_exists when a media driver lives there (unless use_living); the error names its process.
  [[nodiscard]] static Result<MediaDriver> start(const MediaDriverOptions& options = {});
  MediaDriver(MediaDriver&&) noexcept;
  MediaDriver& operator=(MediaDriver&&) noexcept;
  ~MediaDriver();  // stops it and removes its directory; its clients see a lost connection. Somebody else's goes on

  [[nodiscard]] const std::string& aeron_dir() const noexcept;
  [[nodiscard]] bool own() const noexcept;  // false: it is somebody else's

 private:
  struct Impl;
  explicit MediaDriver(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tensorpool
