// Who serves an Aeron directory? Judged from what needs no waiting: the lock of our own embedded media drivers, the
// heartbeat in the command-and-control file, and whether the process that it names still has that file mapped.
#include "transport/media_driver_probe.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "base/file_lock.hpp"
#include "base/unique_fd.hpp"
#include "transport/cnc.hpp"
#include "transport/context_init.hpp"
#include "transport/error_text.hpp"

namespace tensorpool::transport {
namespace {

constexpr Nanos fresh_heartbeat = 2 * nanos_per_second;  // Aeron's stock media driver writes one each second
// The command-and-control file's own words.
struct CncRecord {
  std::int64_t pid = 0;
  Nanos started_at = 0;    // realtime
  Nanos heartbeat_at = 0;  // realtime
  Nanos heartbeat_age = 0;
  bool ended = false;  // its media driver said goodbye
};

CncRecord read_cnc(aeron_cnc_t* cnc) {
  CncRecord record;
  aeron_cnc_constants_t constants{};
  if (aeron_cnc_constants(cnc, &constants) < 0) return record;
  const std::int64_t heartbeat_ms = aeron_cnc_to_driver_heartbeat(cnc);
  record.pid = constants.pid;
  record.started_at = constants.start_timestamp * nanos_per_milli;
  record.ended = heartbeat_ms < 0;
  if (!record.ended) {
    record.heartbeat_at = heartbeat_ms * nanos_per_milli;
    record.heartbeat_age = realtime_now() - record.heartbeat_at;
  }
  return record;
}

enum class Process : unsigned char { lives, dead, unseen };

// Whether a process that we can see under this pid has the file mapped; true if the system does not let us look.
bool has_mapped(std::int64_t pid, ino_t inode) {
  std::error_code ignored;
  const std::string proc = fmt::format("/proc/{}", pid);
  if (!std::filesystem::exists(proc, ignored)) return false;
  std::ifstream maps(proc + "/maps");
  const std::string wanted = fmt::format(" {} ", inode);
  bool readable = false;
  for (std::string line; std::getline(maps, line);) {
    readable = true;
    if (line.find(wanted) != std::string::npos && line.find("cnc.dat") != std::string::npos) return true;
  }
  return !readable;
}

// Whether what was made at that time is the work of the embedded media driver that wrote its pid to the lock file.
bool is_of(const LockRecord& lock, Nanos made_at) {
  return lock.pid != 0 && lock.written_at < made_at + nanos_per_second &&
         lock.written_at > made_at - 60 * nanos_per_second;
}

Process judge_process(const LockRecord& lock, const CncRecord& cnc, ino_t inode) {
  if (lock.held) return Process::lives;
  // Our own, and its lock fell with it: dead in whatever pid namespace it ran. The time tells it from another one of
  // equal pid.
  if (lock.pid == cnc.pid && is_of(lock, cnc.started_at)) return Process::dead;
  return has_mapped(cnc.pid, inode) ? Process::lives : Process::unseen;
}

MediaDriverState judge(Process process, const CncRecord& cnc) {
  if (process == Process::dead) return MediaDriverState::stale;
  if (process == Process::lives) {
    return !cnc.ended && cnc.heartbeat_age < fresh_heartbeat ? MediaDriverState::alive : MediaDriverState::silent;
  }
  return !cnc.ended && cnc.heartbeat_age < heartbeat_timeout ? MediaDriverState::maybe_dead : MediaDriverState::stale;
}

std::string describe(MediaDriverState state, const std::string& dir, const CncRecord& cnc) {
  const double age = static_cast<double>(cnc.heartbeat_age) / 1e9;
  switch (state) {
    case MediaDriverState::alive:
      return fmt::format("a media driver, process {}, serves {}", cnc.pid, dir);
    case MediaDriverState::silent:
      return fmt::format(
          "the media driver of {}, process {}, lives but its last heartbeat is {:.1f} s old: it is stopped, "
          "starved or shutting down; resume it, or end it and start another",
          dir, cnc.pid, age);
    case MediaDriverState::stale:
      return fmt::format(
          "the media driver of {}, process {}, is dead and left its files; start one (the next one cleans up)", dir,
          cnc.pid);
    case MediaDriverState::maybe_dead:
      return fmt::format(
          "the media driver of {} is process {}, which is not to be seen here: it died less than {:.0f} s ago or "
          "runs in another container; its files may be removed when its heartbeat, now {:.1f} s old, has run out",
          dir, cnc.pid, static_cast<double>(heartbeat_timeout) / 1e9, age);
    default:
      return {};
  }
}

// Of the path, or of the directory on the way to it that bars this user.
std::string owner_of(std::string path) {
  struct stat info {};
  while (::stat(path.c_str(), &info) != 0) {
    const std::size_t slash = path.find_last_of('/');
    if (slash == std::string::npos || slash == 0) return fmt::format("{} cannot be examined", path);
    path.resize(slash);
  }
  return fmt::format("{} belongs to user {}, group {}, mode {:04o}", path, info.st_uid, info.st_gid,
                     info.st_mode & 07777U);
}

MediaDriverProbe no_permission(const std::string& dir, const std::string& path) {
  return {.state = MediaDriverState::no_permission,
          .detail = fmt::format(
              "user {} may not use the media driver in {}: {}; run as its user, or let its group in (the driver's "
              "shm.permissions_mode, or umask 0007 for an external media driver) and join it, or name another "
              "aeron_dir",
              ::geteuid(), dir, owner_of(path))};
}

MediaDriverProbe absent(const std::string& dir, std::string_view what) {
  return {
      .state = MediaDriverState::absent,
      .detail = fmt::format("there is no media driver in {}: {}; start one there (`tp driver run` does), or correct "
                            "aeron_dir",
                            dir, what)};
}

// A file that is there but not complete: its media driver is just starting, or died while it was. One of ours died if
// its lock fell; of others only time tells.
MediaDriverProbe incomplete(const std::string& dir, const LockRecord& lock, const struct stat& info) {
  const Nanos made_at = info.st_mtim.tv_sec * nanos_per_second + info.st_mtim.tv_nsec;
  const Nanos age = realtime_now() - made_at;
  const bool starting = lock.held || (age < heartbeat_timeout && !is_of(lock, made_at));
  return {.state = starting ? MediaDriverState::silent : MediaDriverState::stale,
          .detail = fmt::format("{}/cnc.dat is not complete: its media driver is {}", dir,
                                starting ? "starting" : "dead; start another one, which cleans up")};
}

}  // namespace

Result<Cnc> open_cnc(const std::string& aeron_dir) {
  silence_aeron();
  aeron_cnc_t* cnc = nullptr;
  if (aeron_cnc_init(&cnc, aeron_dir.c_str(), 0) < 0) {
    const std::string file = aeron_dir + "/cnc.dat";
    if (::faccessat(AT_FDCWD, file.c_str(), R_OK, AT_EACCESS) != 0) return errno_error(errno, "cannot read {}", file);
    return last_aeron_error("cannot read " + file);
  }
  return Cnc(cnc);
}

LockRecord read_lock(const std::string& aeron_dir) {
  LockRecord record;
  const UniqueFd fd(::open((aeron_dir + ".lock").c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return record;
  record.held = FileLock::is_held(fd.get());
  record.written_at = info.st_mtim.tv_sec * nanos_per_second + info.st_mtim.tv_nsec;
  std::array<char, 32> text{};
  if (const ssize_t n = ::pread(fd.get(), text.data(), text.size(), 0); n > 0) {
    (void)std::from_chars(text.data(), text.data() + n, record.pid);
  }
  return record;
}

MediaDriverProbe probe_with(const std::string& aeron_dir, const LockRecord& lock) {
  const std::string file = aeron_dir + "/cnc.dat";
  if (::faccessat(AT_FDCWD, aeron_dir.c_str(), R_OK | X_OK, AT_EACCESS) != 0) {
    return errno == EACCES ? no_permission(aeron_dir, aeron_dir) : absent(aeron_dir, "no such directory");
  }
  if (::faccessat(AT_FDCWD, file.c_str(), R_OK | W_OK, AT_EACCESS) != 0) {
    return errno == EACCES ? no_permission(aeron_dir, file) : absent(aeron_dir, "the directory holds no cnc.dat");
  }
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return absent(aeron_dir, "the directory holds no cnc.dat");
  // Our own want is no sign of its death, by which somebody would clear its directory.
  if (const UniqueFd readable(::open(file.c_str(), O_RDONLY | O_CLOEXEC)); !readable && errno != ENOENT) {
    return {.state = MediaDriverState::silent, .detail = errno_error(errno, "cannot open {}", file).message};
  }
  Result<Cnc> cnc = open_cnc(aeron_dir);
  if (!cnc) return incomplete(aeron_dir, lock, info);
  const CncRecord record = read_cnc(cnc->get());
  const MediaDriverState state = judge(judge_process(lock, record, info.st_ino), record);
  return {.state = state,
          .pid = record.pid,
          .heartbeat_at_ns = record.heartbeat_at,
          .detail = describe(state, aeron_dir, record)};
}

MediaDriverProbe probe_media_driver(const std::string& aeron_dir) {
  return probe_with(aeron_dir, read_lock(aeron_dir));
}

std::string default_aeron_dir() {
  std::array<char, 1024> path{};
  const int length = with_context_init_lock([&] { return aeron_default_path(path.data(), path.size()); });
  return length > 0 && static_cast<std::size_t>(length) < path.size() ? std::string(path.data())
                                                                      : std::string("/dev/shm/aeron");
}

}  // namespace tensorpool::transport
