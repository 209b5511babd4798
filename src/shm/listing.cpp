#include "shm/listing.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/unique_fd.hpp"

namespace tensorpool::shm {
namespace {

constexpr std::size_t longest_path = 4096;

ListedEntry::Kind kind_of(mode_t mode) noexcept {
  if (S_ISDIR(mode)) return ListedEntry::Kind::directory;
  return S_ISREG(mode) ? ListedEntry::Kind::file : ListedEntry::Kind::other;
}

struct CloseDirectory {
  void operator()(DIR* stream) const noexcept { ::closedir(stream); }
};
using DirectoryStream = std::unique_ptr<DIR, CloseDirectory>;

// Null, with errno, for a link and for what is no directory.
DirectoryStream open_directory(const std::string& path) {
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  DirectoryStream stream(directory ? ::fdopendir(directory.get()) : nullptr);
  if (stream) (void)directory.release();
  return stream;
}

}  // namespace

bool Owners::accepts(uid_t uid) const noexcept {
  return any || std::find(accepted.begin(), accepted.end(), uid) != accepted.end();
}

std::vector<uid_t> Owners::default_owners() { return {0, ::geteuid()}; }

void Listing::accept_owner_of(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) owners_.accepted.push_back(status.st_uid);
}

std::vector<ListedEntry> Listing::entries_of(const std::string& dir, std::string_view prefix) {
  Result<std::vector<ListedEntry>> entries = list(dir, prefix);
  if (entries) return *std::move(entries);
  if (entries.error().code != ErrorCode::not_found) skip(dir, entries.error().message);
  return {};
}

Result<std::vector<ListedEntry>> Listing::list(const std::string& dir, std::string_view prefix) {
  std::vector<ListedEntry> entries;
  const DirectoryStream stream = open_directory(dir);
  if (!stream && (errno == ENOTDIR || errno == ELOOP)) {
    return make_error(ErrorCode::invalid_argument, "{} is no directory, and a link is not followed",
                      escape(dir, longest_path));
  }
  if (!stream) return errno_error(errno, "cannot list {}", escape(dir, longest_path));
  while (const dirent* found = ::readdir(stream.get())) {
    const std::string_view name = found->d_name;
    if (name == "." || name == ".." || !name.starts_with(prefix)) continue;
    ListedEntry entry{fmt::format("{}/{}", dir, name), std::string(name)};
    struct stat status {};
    if (::fstatat(::dirfd(stream.get()), found->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;  // it went
    if (!owners_.accepts(status.st_uid)) {
      skip(entry.path, fmt::format("it belongs to user {}, not to this user ({}) or root", status.st_uid, ::geteuid()));
      continue;
    }
    if (left_ == 0) {
      skip(dir, fmt::format("it is not listed further: {} entries were found so far", most_entries));
      break;
    }
    --left_;
    entry.kind = kind_of(status.st_mode);
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const ListedEntry& a, const ListedEntry& b) { return a.name < b.name; });
  return entries;
}

void Listing::skip(const std::string& path, std::string why) {
  if (skipped_.size() < most_named) {
    skipped_.push_back({path, std::move(why)});
  } else {
    ++skipped_more_;
  }
}

std::vector<std::string> Listing::describe_skipped() const {
  std::vector<std::string> lines;
  for (const SkippedEntry& entry : skipped_) {
    lines.push_back(fmt::format("skipped {}: {}", escape(entry.path, longest_path), entry.why));
  }
  if (skipped_more_ > 0) lines.push_back(fmt::format("skipped {} more", skipped_more_));
  return lines;
}

}  // namespace tensorpool::shm
