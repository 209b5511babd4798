// Directories that other users may have filled, for tools: entries of owners that are not accepted are left out and
// named, links are never followed, files are not opened, and the number of entries is bounded. One thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/result.hpp"

namespace tensorpool::shm {

// Whose entries count. By default this user's and root's.
struct Owners {
  std::vector<uid_t> accepted = default_owners();
  bool any = false;

  [[nodiscard]] bool accepts(uid_t uid) const noexcept;
  [[nodiscard]] static std::vector<uid_t> default_owners();
};

struct ListedEntry {
  enum class Kind : unsigned char { directory, file, other };  // other: a link, a pipe, a socket or a device

  std::string path;
  std::string name;
  Kind kind = Kind::other;
};

// What a walk left out, and why.
struct SkippedEntry {
  std::string path;
  std::string why;
};

class Listing {
 public:
  static constexpr std::size_t most_entries = 65536;  // of a whole walk; a driver has at most some thousand epochs
  static constexpr std::size_t most_named = 16;

  explicit Listing(Owners owners = {}, std::size_t most = most_entries) : owners_(std::move(owners)), left_(most) {}

  // Accepts the owner of `path`, too, because the user named it. No effect if it does not exist.
  void accept_owner_of(const std::string& path);

  // The entries of a directory whose name begins with `prefix`, in order of their names. Its own owner is not checked.
  // Errors: it is a link or no directory, is missing, or cannot be read.
  [[nodiscard]] Result<std::vector<ListedEntry>> list(const std::string& dir, std::string_view prefix = {});
  // The same, empty on an error; skipped() names it unless the directory is gone.
  [[nodiscard]] std::vector<ListedEntry> entries_of(const std::string& dir, std::string_view prefix = {});

  // At most `most_named`; skipped_more() says how many others there are.
  [[nodiscard]] const std::vector<SkippedEntry>& skipped() const noexcept { return skipped_; }
  [[nodiscard]] std::size_t skipped_more() const noexcept { return skipped_more_; }
  void skip(const std::string& path, std::string why);

  // For a user, one line each, escaped.
  [[nodiscard]] std::vector<std::string> describe_skipped() const;

 private:
  Owners owners_;
  std::size_t left_;
  std::vector<SkippedEntry> skipped_;
  std::size_t skipped_more_ = 0;
};

}  // namespace tensorpool::shm
