// The media driver: who runs it in a directory, and one to embed.
//
// Who may write an Aeron directory is fully trusted by everybody who uses it (it can forge any message and crash every
// client), so the embedded one makes it private: mode 0700, or 2770 for a group.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::transport {

// Aeron's own default for the effective user, whatever USER is: /dev/shm/aeron-<user>.
[[nodiscard]] std::string default_aeron_dir();

enum class MediaDriverState : unsigned char {
  absent,         // no directory, or no media driver ever started in it
  alive,          // heartbeat fresh
  silent,         // heartbeat old, but its process lives: stopped, or starved
  stale,          // surely dead; only files are left
  maybe_dead,     // heartbeat fresh, but its process is not among those we can see: killed just now, or in another pid
                  // namespace
  no_permission,  // this user may not read or write there
  unexamined,     // this process cannot examine it: no descriptor, no memory, an unknown format, a failed read
};

[[nodiscard]] std::string_view to_string(MediaDriverState state) noexcept;

struct MediaDriverProbe {
  MediaDriverState state = MediaDriverState::absent;
  std::int64_t pid = 0;                  // as its own pid namespace counts; 0 if unknown
  Nanos heartbeat_at_ns = 0;             // by CLOCK_REALTIME, as Aeron does; 0 if there is none
  std::string detail = {};               // one sentence for people: what was found in which directory, and the remedy
  ErrorCode code = ErrorCode::io_error;  // of `unexamined`: why
};

// Looks, without waiting, whether a media driver serves the directory.
[[nodiscard]] MediaDriverProbe probe_media_driver(const std::string& aeron_dir);

struct MediaDriverOptions {
  std::string aeron_dir = {};  // empty: default_aeron_dir()
  bool group_access = false;   // directory mode 2770 instead of 0700
  Nanos timer_interval_ns = 20 * nanos_per_milli;
  Nanos client_liveness_ns = 3 * nanos_per_second;
  Nanos image_liveness_ns = 3 * nanos_per_second;
  Nanos publication_unblock_ns = 4 * nanos_per_second;  // REQUIRES: longer than client_liveness_ns
  std::size_t counters_bytes = std::size_t{8} << 20;
  std::size_t error_log_bytes = std::size_t{4} << 20;  // Aeron 1.54 takes no less
  // How long start() may wait for the heartbeat of a `maybe_dead` predecessor to run out; 0: refuse at once.
  Nanos wait_for_predecessor_ns = 0;
  // Called from the media driver's thread with each error of its own; may be empty. Must not throw.
  std::function<void(int code, std::string_view message)> on_error = {};
};

// An Aeron media driver on one thread of its own, in a directory that it locks (`<dir>.lock`, which stays, empty) for
// as long as it lives. Files of a predecessor that is dead for sure are removed; a live one is never disturbed.
class EmbeddedMediaDriver {
 public:
  // Refuses with already_exists when a media driver lives there or another one holds the lock; the text names its pid.
  static Result<EmbeddedMediaDriver> start(const MediaDriverOptions& options);

  EmbeddedMediaDriver(EmbeddedMediaDriver&&) noexcept;
  EmbeddedMediaDriver& operator=(EmbeddedMediaDriver&&) noexcept;
  ~EmbeddedMediaDriver();  // stops the thread and removes the directory; its clients see a closed connection

  [[nodiscard]] bool alive() const noexcept;
  [[nodiscard]] const std::string& dir() const noexcept;
  [[nodiscard]] std::uint64_t errors() const noexcept;

 private:
  struct Impl;
  explicit EmbeddedMediaDriver(std::unique_ptr<Impl> impl) noexcept;

  std::unique_ptr<Impl> impl_;
};

}  // namespace tensorpool::transport
