#include "shm/epoch_store.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "protocol/shm_layout.hpp"
#include "shm/path_policy.hpp"

namespace tensorpool::shm {
namespace {

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
// Nothing of ours nests; what somebody else put below an epoch is removed to this depth and else reported.
constexpr int deepest_removal = 4;
constexpr std::uint64_t bytes_per_removal_step = std::uint64_t{16} << 20;  // some milliseconds

// A decimal number in the one spelling that we write.
template <class T>
std::optional<T> parse_id(std::string_view name) {
  T value = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
  if (error != std::errc{} || end != name.data() + name.size() || std::to_string(value) != name) return std::nullopt;
  return value;
}

// The names in a directory, without "." and "..".
Result<std::vector<std::string>> names_in(int directory, const std::string& path) {
  // A handle of its own, because reading moves the handle's position.
  UniqueFd own(::openat(directory, ".", directory_flags));
  DIR* stream = own ? ::fdopendir(own.get()) : nullptr;
  if (stream == nullptr) return errno_error(errno, "cannot list {}", path);
  (void)own.release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  const int error = errno;
  ::closedir(stream);
  if (error != 0) return errno_error(error, "cannot list {}", path);
  return names;
}

template <class T>
Result<std::vector<T>> ids_in(int directory, const std::string& path) {
  Result<std::vector<std::string>> names = names_in(directory, path);
  if (!names) return names.error();
  std::vector<T> ids;
  for (const std::string& name : *names) {
    if (const auto id = parse_id<T>(name)) ids.push_back(*id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

Status remove_tree(int parent, const std::string& name, const std::string& path, SystemCalls& calls, int depth = 0);

Status remove_entry(int parent, const std::string& name, const std::string& path, SystemCalls& calls, int depth) {
  if (calls.unlink_at(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno == EISDIR && depth < deepest_removal) return remove_tree(parent, name, path, calls, depth + 1);
  return errno_error(errno, "cannot remove {}/{}", path, escape(name));
}

Status remove_tree(int parent, const std::string& name, const std::string& path, SystemCalls& calls, int depth) {
  const std::string own_path = path + "/" + escape(name);  // for messages
  const UniqueFd directory(::openat(parent, name.c_str(), directory_flags));
  if (!directory)
    return remove_entry(parent, name, path, calls, deepest_removal);  // a file, or a link: gone, not followed
  const auto names = names_in(directory.get(), own_path);
  if (!names) return names.error();
  for (const std::string& entry : *names) {
    if (Status removed = remove_entry(directory.get(), entry, own_path, calls, depth); !removed) return removed;
  }
  if (calls.unlink_at(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  return errno_error(errno, "cannot remove {}", own_path);
}

bool is_half_made(std::string_view name) {
  return name.substr(0, making_prefix.size()) == making_prefix ||
         name.substr(0, removed_prefix.size()) == removed_prefix;
}

bool is_plain(char c, std::string_view more) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         more.find(c) != std::string_view::npos;
}

bool is_name(std::string_view name, std::string_view more) {
  return !name.empty() && name.size() <= 128 &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_plain(c, more); });
}

Status check_names(const StoreOptions& options) {
  if (!is_name(options.namespace_name, "_-")) {
    return make_error(ErrorCode::invalid_config, "shm.namespace is \"{}\"; it takes 1 to 128 of A-Z a-z 0-9 _ -",
                      options.namespace_name);
  }
  if (options.user.empty() || user_directory_name(options.user).size() > NAME_MAX) {
    return make_error(ErrorCode::invalid_config,
                      "\"{}\" cannot be the user of the directory {}<user>: it is {}; set shm.user to another name",
                      escape(options.user), user_dir_prefix, options.user.empty() ? "empty" : "too long");
  }
  if ((options.directory_mode & 0700) != 0700 || (options.directory_mode & 0022) != 0) {
    return make_error(ErrorCode::invalid_config,
                      "directory mode {:o} must give its owner everything, and nobody else write permission",
                      options.directory_mode);
  }
  return {};
}

// The one component of a path directly below /dev/shm, else nothing.
std::optional<std::string> name_in_dev_shm(std::string path) {
  constexpr std::string_view parent = "/dev/shm/";
  if (path.compare(0, parent.size(), parent) != 0) return std::nullopt;
  path.erase(0, parent.size());
  while (!path.empty() && path.back() == '/') path.pop_back();
  if (path.empty() || path == "." || path == ".." || path.find('/') != std::string::npos) return std::nullopt;
  return path;
}

// Makes base_dir with mode 0755 whatever the umask: consumers that run as other users pass through it.
Status make_base(const std::string& path, SystemCalls& calls) {
  if (calls.make_directory_at(AT_FDCWD, path.c_str(), 0755) != 0) {
    if (errno == EEXIST) return {};
    return errno_error(errno, "cannot create shm.base_dir {}", path);
  }
  const UniqueFd made(calls.open_at(AT_FDCWD, path.c_str(), directory_flags, 0));
  if (made && calls.change_mode(made.get(), 0755) == 0) return {};
  return errno_error(errno, "cannot set the mode of shm.base_dir {} to 755", path);
}

Error unusable_base(int error, const std::string& base_dir) {
  return errno_error(error, "shm.base_dir {} cannot be used; create it, or set shm.base_dir", base_dir);
}

// base_dir with its links resolved. Made if it is missing directly below /dev/shm, where no package makes directories.
Result<std::string> resolve_base(const std::string& base_dir, SystemCalls& calls) {
  std::array<char, PATH_MAX> resolved;
  if (::realpath(base_dir.c_str(), resolved.data()) != nullptr) return std::string(resolved.data());
  const int error = errno;
  if (error != ENOENT || !name_in_dev_shm(base_dir)) return unusable_base(error, base_dir);
  if (Status made = make_base(base_dir, calls); !made) return made.error();
  if (::realpath(base_dir.c_str(), resolved.data()) != nullptr) return std::string(resolved.data());
  return errno_error(errno, "shm.base_dir {} cannot be used", base_dir);
}

// A sticky directory may be everybody's: nobody can rename or remove what is another's there.
Status check_base(int directory, const std::string& path) {
  struct stat status {};
  if (::fstat(directory, &status) != 0) return errno_error(errno, "cannot examine shm.base_dir {}", path);
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return make_error(ErrorCode::permission_denied,
                      "shm.base_dir {} belongs to user id {}, not to this user ({}) or root: its owner could replace "
                      "every region; set "
                      "shm.base_dir to a directory of your own",
                      path, status.st_uid, ::geteuid());
  }
  if ((status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0) {
    return make_error(ErrorCode::permission_denied,
                      "shm.base_dir {} is writable by everyone and not sticky (mode {:o}): anybody could replace every "
                      "region; chmod o-w it, or add +t",
                      path, status.st_mode & 07777);
  }
  return {};
}

// A directory between base_dir and the epochs: this user's alone.
Status check_own(int directory, const std::string& path, mode_t* mode) {
  struct stat status {};
  if (::fstat(directory, &status) != 0) return errno_error(errno, "cannot examine {}", path);
  if (status.st_uid != ::geteuid()) {
    return make_error(ErrorCode::permission_denied,
                      "{} belongs to user id {}, not to this user ({}): somebody else made it; remove it, or set "
                      "shm.base_dir or shm.namespace",
                      path, status.st_uid, ::geteuid());
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return make_error(
        ErrorCode::permission_denied,
        "{} is writable by others than its owner (mode {:o}): they could replace every region; chmod go-w it", path,
        status.st_mode & 07777);
  }
  *mode = status.st_mode & 07777;
  return {};
}

// Opens parent/name, checks that it is ours, and gives it `mode` if it is new.
Result<UniqueFd> adopt_directory(int parent, const std::string& name, const std::string& path, mode_t mode, bool made,
                                 SystemCalls& calls) {
  UniqueFd directory(calls.open_at(parent, name.c_str(), directory_flags, 0));
  if (!directory) {
    return errno == ELOOP || errno == ENOTDIR
               ? make_error(ErrorCode::permission_denied, "{} is no directory (a link is not followed); remove it",
                            path)
               : errno_error(errno, "cannot open {}", path);
  }
  mode_t present = 0;
  if (Status ours = check_own(directory.get(), path, &present); !ours) return ours.error();
  // 0700 is also what a start that was killed before this call left.
  if ((made || present == 0700) && present != mode && calls.change_mode(directory.get(), mode) != 0) {
    return errno_error(errno, "cannot set the mode of {} to {:o}", path, mode);
  }
  return directory;
}

// As adopt_directory; made if it is missing, and not left behind half-made.
Result<UniqueFd> open_own_directory(int parent, const std::string& name, const std::string& path, mode_t mode,
                                    SystemCalls& calls) {
  const bool made = calls.make_directory_at(parent, name.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return errno_error(errno, "cannot create {}", path);
  Result<UniqueFd> directory = adopt_directory(parent, name, path, mode, made, calls);
  if (made && !directory) calls.unlink_at(parent, name.c_str(), AT_REMOVEDIR);
  return directory;
}

}  // namespace

std::string user_directory_name(std::string_view user) {
  std::string name(user_dir_prefix);
  for (const char c : user) {
    is_plain(c, "_-.@+") ? name += c : name += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return name;
}

std::string pool_file_name(std::uint16_t pool_id) { return std::to_string(pool_id) + ".pool"; }

EpochRemoval::EpochRemoval(UniqueFd parent, UniqueFd directory, std::string name, std::string path, SystemCalls& calls)
    : parent_(std::move(parent)),
      directory_(std::move(directory)),
      name_(std::move(name)),
      path_(std::move(path)),
      calls_(&calls) {}

// A large file is opened first: its last reference frees all its pages, at half a second for a few gigabytes.
Status EpochRemoval::remove_file(const std::string& name) {
  UniqueFd file(::openat(directory_.get(), name.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (Status removed = remove_entry(directory_.get(), name, path_, *calls_, 0); !removed) return removed;
  struct stat status {};
  const bool shrinks = file && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 0 &&
                       static_cast<std::uint64_t>(status.st_blocks) * 512 > bytes_per_removal_step &&
                       calls_->is_sole_user(file.get());
  if (!shrinks) return {};
  nameless_ = std::move(file);
  nameless_bytes_ = static_cast<std::uint64_t>(status.st_size);
  return {};
}

void EpochRemoval::shrink() {
  nameless_bytes_ -= std::min(nameless_bytes_, bytes_per_removal_step);
  if (nameless_bytes_ == 0 || calls_->truncate(nameless_.get(), nameless_bytes_) != 0) nameless_.reset();
}

Result<bool> EpochRemoval::step() {
  if (!directory_) return true;
  if (nameless_) {
    shrink();
    return false;
  }
  const auto names = names_in(directory_.get(), path_);
  if (!names) return names.error();
  if (!names->empty()) {
    if (Status removed = remove_file(names->front()); !removed) return removed.error();
    return false;
  }
  if (calls_->unlink_at(parent_.get(), name_.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return errno_error(errno, "cannot remove {}", path_);
  }
  directory_.reset();
  return true;
}

Status EpochStore::check_base_dir(const std::string& base_dir) {
  const UniqueFd directory(::open(base_dir.c_str(), directory_flags & ~O_NOFOLLOW));
  if (directory) return check_base(directory.get(), base_dir);
  return errno == ENOENT && name_in_dev_shm(base_dir) ? Status() : unusable_base(errno, base_dir);
}

Result<EpochStore> EpochStore::open(const StoreOptions& options, SystemCalls& calls) {
  if (Status names = check_names(options); !names) return names.error();
  const Result<std::string> base = resolve_base(options.base_dir, calls);
  if (!base) return base.error();
  EpochStore store;
  store.calls_ = &calls;
  store.directory_mode_ = options.directory_mode;
  store.base_dir_ = *base == "/" ? "" : *base;

  const UniqueFd base_fd(::open(base->c_str(), directory_flags));
  if (!base_fd) return errno_error(errno, "cannot open shm.base_dir {}", *base);
  if (Status safe = check_base(base_fd.get(), *base); !safe) return safe.error();

  const std::string user_name = user_directory_name(options.user);
  const std::string user_dir = store.base_dir_ + "/" + user_name;
  const Result<UniqueFd> user = open_own_directory(base_fd.get(), user_name, user_dir, options.directory_mode, calls);
  if (!user) return user.error();
  store.namespace_dir_ = user_dir + "/" + options.namespace_name;
  Result<UniqueFd> own =
      open_own_directory(user->get(), options.namespace_name, store.namespace_dir_, options.directory_mode, calls);
  if (!own) return own.error();
  store.namespace_fd_ = *std::move(own);
  return store;
}

bool EpochStore::is_gone() const noexcept {
  struct stat held {};
  struct stat found {};
  if (::fstat(namespace_fd_.get(), &held) != 0) return false;
  if (::stat(namespace_dir_.c_str(), &found) != 0) return errno == ENOENT;
  return found.st_ino != held.st_ino || found.st_dev != held.st_dev;
}

std::string EpochStore::epoch_dir(std::uint32_t stream_id, std::uint64_t epoch) const {
  return fmt::format("{}/{}/{}", namespace_dir_, stream_id, epoch);
}

Result<std::vector<std::uint32_t>> EpochStore::streams() const {
  return ids_in<std::uint32_t>(namespace_fd_.get(), namespace_dir_);
}

Result<std::vector<std::uint64_t>> EpochStore::epochs(std::uint32_t stream_id) const {
  const UniqueFd stream = open_beneath(namespace_fd_.get(), std::to_string(stream_id), directory_flags);
  if (!stream && errno == ENOENT) return std::vector<std::uint64_t>{};
  const std::string path = fmt::format("{}/{}", namespace_dir_, stream_id);
  if (!stream) return errno_error(errno, "cannot open {}", path);
  return ids_in<std::uint64_t>(stream.get(), path);
}

Result<std::uint64_t> EpochStore::highest_epoch(std::uint32_t stream_id) const {
  const auto present = epochs(stream_id);
  if (!present) return present.error();
  std::uint64_t highest = present->empty() ? 0 : present->back();
  for (const std::uint64_t past : past_epochs()) highest = std::max(highest, past);
  return highest;
}

std::vector<std::uint64_t> EpochStore::past_epochs() const {
  std::vector<std::uint64_t> past;
  const auto names = names_in(namespace_fd_.get(), namespace_dir_);
  if (!names) return past;
  for (const std::string_view name : *names) {
    if (!name.starts_with(past_prefix)) continue;
    if (const auto epoch = parse_id<std::uint64_t>(name.substr(past_prefix.size()))) past.push_back(*epoch);
  }
  return past;
}

// Best effort: a file system that is full must not keep an epoch from being removed. The new mark is there before the
// old ones go.
void EpochStore::remember(std::uint64_t epoch) {
  const auto name_of = [](std::uint64_t marked) { return fmt::format("{}{}", past_prefix, marked); };
  const std::vector<std::uint64_t> past = past_epochs();
  if (std::any_of(past.begin(), past.end(), [&](std::uint64_t marked) { return marked >= epoch; })) return;
  if (calls_->make_directory_at(namespace_fd_.get(), name_of(epoch).c_str(), 0700) != 0 && errno != EEXIST) return;
  for (const std::uint64_t marked : past) {
    calls_->unlink_at(namespace_fd_.get(), name_of(marked).c_str(), AT_REMOVEDIR);
  }
}

Result<Nanos> EpochStore::last_activity(std::uint32_t stream_id, std::uint64_t epoch) const {
  const std::string path = epoch_dir(stream_id, epoch) + "/" + std::string(header_file_name);
  const UniqueFd ring =
      open_beneath(namespace_fd_.get(), path.substr(namespace_dir_.size() + 1), O_RDONLY | O_NONBLOCK);
  if (!ring && (errno == ELOOP || errno == ENXIO)) return make_error(ErrorCode::not_found, "{} is no region", path);
  if (!ring) return errno_error(errno, "cannot open {}", path);
  std::array<std::byte, sizeof(Nanos)> word;
  // Read, not mapped: a file that is too short gives fewer bytes instead of a signal.
  const ssize_t got = ::pread(ring.get(), word.data(), word.size(), protocol::activity_timestamp_offset);
  if (got < 0 && errno == EISDIR) return make_error(ErrorCode::not_found, "{} is a directory", path);
  if (got < 0) return errno_error(errno, "cannot read {}", path);
  if (got != static_cast<ssize_t>(word.size()))
    return make_error(ErrorCode::not_found, "{} has no whole superblock", path);
  return load_le<Nanos>(word.data());
}

Result<EpochRemoval> EpochStore::remove(std::uint32_t stream_id, std::uint64_t epoch) {
  const std::string stream_path = fmt::format("{}/{}", namespace_dir_, stream_id);
  UniqueFd stream = open_beneath(namespace_fd_.get(), std::to_string(stream_id), directory_flags);
  if (!stream) return errno_error(errno, "cannot open {}", stream_path);
  remember(epoch);
  const std::string from = std::to_string(epoch);
  const std::string to = std::string(removed_prefix) + from;
  if (calls_->rename_at(stream.get(), from.c_str(), to.c_str()) != 0)
    return errno_error(errno, "cannot remove {}/{}", stream_path, from);
  UniqueFd directory(::openat(stream.get(), to.c_str(), directory_flags));
  if (!directory) return errno_error(errno, "cannot open {}/{}", stream_path, to);
  return EpochRemoval(std::move(stream), std::move(directory), to, stream_path + "/" + to, *calls_);
}

Result<std::size_t> EpochStore::remove_half_made() {
  const auto ids = streams();
  if (!ids) return ids.error();
  std::size_t removed = 0;
  for (const std::uint32_t id : *ids) {
    const auto gone = remove_half_made(id);
    if (!gone) return gone.error();
    removed += *gone;
  }
  return removed;
}

Result<std::size_t> EpochStore::remove_half_made(std::uint32_t stream_id) {
  const std::string path = fmt::format("{}/{}", namespace_dir_, stream_id);
  const UniqueFd stream = open_beneath(namespace_fd_.get(), std::to_string(stream_id), directory_flags);
  if (!stream && errno == ENOENT) return std::size_t{0};
  if (!stream) return errno_error(errno, "cannot open {}", path);
  const auto names = names_in(stream.get(), path);
  if (!names) return names.error();
  std::size_t removed = 0;
  for (const std::string& name : *names) {
    if (!is_half_made(name)) continue;
    if (Status gone = remove_tree(stream.get(), name, path, *calls_); !gone) return gone.error();
    ++removed;
  }
  return removed + (remove_stream_dir_if_empty(stream_id) ? 1 : 0);
}

Result<UniqueFd> EpochStore::open_stream_dir(std::uint32_t stream_id) {
  return open_own_directory(namespace_fd_.get(), std::to_string(stream_id),
                            fmt::format("{}/{}", namespace_dir_, stream_id), directory_mode_, *calls_);
}

bool EpochStore::remove_stream_dir_if_empty(std::uint32_t stream_id) noexcept {
  std::array<char, 16> name{};
  std::to_chars(name.data(), name.data() + name.size() - 1, stream_id);
  return calls_->unlink_at(namespace_fd_.get(), name.data(), AT_REMOVEDIR) == 0;
}

}  // namespace tensorpool::shm
