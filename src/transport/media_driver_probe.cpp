// Who serves an Aeron directory? Judged from what needs no waiting: the lock of our own embedded media drivers, the
// heartbeat in the command-and-control file, and whether the process that it names still has that file mapped.
#include "transport/media_driver_probe.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/file_lock.hpp"
#include "base/unique_fd.hpp"
#include "base/user.hpp"
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
  const std::string proc = fmt::format("/proc/{}", pid);
  if (::access(proc.c_str(), F_OK) != 0) return errno != ENOENT;
  std::ifstream maps(proc + "/maps");
  const std::string wanted = fmt::format(" {} ", inode);
  bool readable = false;
  for (std::string line; std::getline(maps, line);) {
    readable = true;
    if (line.find(wanted) != std::string::npos && line.find("cnc.dat") != std::string::npos) return true;
  }
  return !readable || maps.bad();
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

// Nothing is known about the media driver: this process lacks a descriptor, memory or a right, or does not know the
// file's format. Never a reason to remove anything.
MediaDriverProbe unexamined(const std::string& dir, const Error& why) {
  return {.state = MediaDriverState::unexamined,
          .detail = fmt::format("cannot tell whether a media driver serves {}: {}", dir, why.message),
          .code = why.code};
}

// The start of a command-and-control file as Aeron lays it out, read instead of mapped: that takes no address space.
struct CncHeader {
  static constexpr off_t end_of_metadata = 128;
  std::uint32_t version = 0;  // stored last, when all else is in place
  std::int64_t pid = 0;
  bool whole = false;  // the file is as long as its length fields say
  [[nodiscard]] bool complete() const noexcept { return version != 0 && whole; }
  [[nodiscard]] bool known_version() const noexcept { return (version >> 16U) == 0; }  // Aeron compares the major one
};

// REQUIRES: `file` is regular.
Result<CncHeader> read_header(int file, const std::string& path, off_t size) {
  CncHeader header;
  std::array<std::byte, 48> bytes{};
  const ssize_t got = ::pread(file, bytes.data(), bytes.size(), 0);
  if (got < 0) return errno_error(errno, "cannot read {}", path);
  if (size <= CncHeader::end_of_metadata || got != static_cast<ssize_t>(bytes.size())) return header;
  header.version = load_le<std::uint32_t>(bytes.data());
  header.pid = load_le<std::int64_t>(bytes.data() + 40);
  std::int64_t length = CncHeader::end_of_metadata;
  bool possible = true;
  for (std::size_t field = 1; field <= 5; ++field) {
    const auto buffer = load_le<std::int32_t>(bytes.data() + 4 * field);
    possible = possible && buffer >= 0;
    length += buffer;
  }
  header.whole = possible && size >= length;
  return header;
}

// A file whose bytes show that it is not complete: its media driver is just starting, or died while it was. One of ours
// died if its lock fell; another one lives if it has the file mapped; else only time tells.
MediaDriverProbe incomplete(const std::string& dir, const LockRecord& lock, const struct stat& info, std::int64_t pid) {
  const Nanos made_at = info.st_mtim.tv_sec * nanos_per_second + info.st_mtim.tv_nsec;
  const Nanos age = realtime_now() - made_at;
  const bool ours = is_of(lock, made_at);
  const bool starting = lock.held || (!ours && (age < heartbeat_timeout || (pid > 0 && has_mapped(pid, info.st_ino))));
  return {.state = starting ? MediaDriverState::silent : MediaDriverState::stale,
          .detail = fmt::format("{}/cnc.dat is not complete: its media driver is {}", dir,
                                starting ? "starting" : "dead; start another one, which cleans up")};
}

// Why `path` cannot be used, if so.
std::optional<MediaDriverProbe> look_for(const std::string& dir, const std::string& path, int rights,
                                         std::string_view missing) {
  if (::faccessat(AT_FDCWD, path.c_str(), rights, AT_EACCESS) == 0) return std::nullopt;
  switch (errno) {
    case EACCES:
      return no_permission(dir, path);
    case ENOENT:
    case ENOTDIR:
      return absent(dir, missing);
    default:
      return unexamined(dir, errno_error(errno, "cannot examine {}", path));
  }
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
  if (auto barred = look_for(aeron_dir, aeron_dir, R_OK | X_OK, "no such directory")) return *std::move(barred);
  if (auto barred = look_for(aeron_dir, file, R_OK | W_OK, "the directory holds no cnc.dat")) return *std::move(barred);
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd && errno == ENOENT) return absent(aeron_dir, "the directory holds no cnc.dat");
  if (!fd) return unexamined(aeron_dir, errno_error(errno, "cannot open {}", file));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return unexamined(aeron_dir, errno_error(errno, "cannot examine {}", file));
  if (!S_ISREG(info.st_mode)) {
    return unexamined(aeron_dir, make_error(ErrorCode::invalid_argument, "{} is not a regular file", file));
  }
  const Result<CncHeader> header = read_header(fd.get(), file, info.st_size);
  if (!header) return unexamined(aeron_dir, header.error());
  if (!header->known_version()) {
    return unexamined(aeron_dir,
                      make_error(ErrorCode::unsupported, "{} is of format {}.{}.{}, this program reads 0.x", file,
                                 header->version >> 16U, header->version >> 8U & 0xffU, header->version & 0xffU));
  }
  if (!header->complete()) return incomplete(aeron_dir, lock, info, header->pid);
  const Result<Cnc> cnc = open_cnc(aeron_dir);
  if (!cnc) return unexamined(aeron_dir, cnc.error());
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

// As Aeron's own, but by the effective user, as the regions' directory: USER may be of another one, as under sudo.
std::string default_aeron_dir() {
  std::string user = effective_user_name();
  std::replace(user.begin(), user.end(), '/', '_');
  return "/dev/shm/aeron-" + user;
}

}  // namespace tensorpool::transport
