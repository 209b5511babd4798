// What lies on disk: <base_dir>/tensorpool-<user>/<namespace>/<stream_id>/<epoch>/{header.ring,<pool_id>.pool}.
// The owner of a namespace (a driver, or a standalone producer) opens the store, makes epochs through RegionCreator,
// and removes them here. Never follows a link. The caller holds the namespace's lock; one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "shm/region_layout.hpp"
#include "shm/system_calls.hpp"
#include "tensorpool/result.hpp"
#include "tensorpool/time.hpp"

namespace tensorpool::shm {

struct StoreOptions {
  std::string base_dir = "/dev/shm";
  std::string user;                        // the `<user>` of tensorpool-<user>, before it is escaped
  std::string namespace_name = "default";  // [A-Za-z0-9_-]
  mode_t directory_mode = 02750;           // of every directory that the store makes; 0700 keeps other users out
};

// Directories are open to whom the files are open to; the group's stay with the directory's group.
[[nodiscard]] constexpr mode_t directory_mode_for(mode_t file_mode) noexcept {
  mode_t mode = 0700;
  mode |= (file_mode & 0040U) != 0 ? mode_t{02050} : mode_t{0};
  mode |= (file_mode & 0004U) != 0 ? mode_t{0005} : mode_t{0};
  return mode;
}

// Below the base directory, followed by the user's name.
inline constexpr std::string_view user_dir_prefix = "tensorpool-";
// The directory of a user: tensorpool-<user>. A byte of the name outside A-Z a-z 0-9 _ - . @ + is written as %XX, so
// that no two names share a directory, and that a region URI can hold it.
[[nodiscard]] std::string user_directory_name(std::string_view user);
inline constexpr std::string_view header_file_name = "header.ring";
// Directories beside the epochs: one that a RegionCreator has not finished, one that is being removed.
inline constexpr std::string_view making_prefix = ".making-";
inline constexpr std::string_view removed_prefix = ".removed-";
// An empty directory beside the streams: the highest epoch that was removed. No epoch of the namespace comes up to it
// again, though nothing of it is left and the clock was set back: who still has it mapped would follow no lower one.
inline constexpr std::string_view past_prefix = ".past-";
[[nodiscard]] std::string pool_file_name(std::uint16_t pool_id);

// Removes one epoch, a file or a piece of one per step, so that freeing gigabytes does not hold up a duty cycle. The
// epoch's directory is renamed aside first: from then on nobody lists it, and a start after a crash finds and removes
// what is left. A file that somebody still has mapped stays whole for him.
class EpochRemoval {
 public:
  EpochRemoval(EpochRemoval&&) noexcept = default;
  EpochRemoval& operator=(EpochRemoval&&) noexcept = default;

  // True when nothing is left to do. An error names what could not be removed; the next start tries again.
  [[nodiscard]] Result<bool> step();

 private:
  friend class EpochStore;
  EpochRemoval(UniqueFd parent, UniqueFd directory, std::string name, std::string path, SystemCalls& calls);
  Status remove_file(const std::string& name);
  void shrink();

  UniqueFd parent_;
  UniqueFd directory_;
  std::string name_;
  std::string path_;
  SystemCalls* calls_;
  UniqueFd nameless_;                 // a file that only we still have
  std::uint64_t nameless_bytes_ = 0;  // of it, yet to be freed
};

class EpochStore {
 public:
  // Checks, and makes where missing, the directories down to the namespace. A base_dir that does not exist is made only
  // directly below /dev/shm. Refuses a base_dir that is neither this user's nor root's or that anyone may write without
  // the sticky bit, and a tensorpool-<user> or namespace that is a link, another user's, or writable by group or
  // others.
  [[nodiscard]] static Result<EpochStore> open(const StoreOptions& options, SystemCalls& calls = system_calls());
  // Whether open() could use base_dir, changing nothing.
  [[nodiscard]] static Status check_base_dir(const std::string& base_dir);

  EpochStore(EpochStore&&) noexcept = default;
  EpochStore& operator=(EpochStore&&) noexcept = default;

  // base_dir with its own links resolved: what the paths of all regions start with.
  [[nodiscard]] const std::string& base_dir() const noexcept { return base_dir_; }
  [[nodiscard]] const std::string& namespace_dir() const noexcept { return namespace_dir_; }
  // Somebody removed the namespace's directory, or put another in its place: what is made now, nobody would find.
  [[nodiscard]] bool is_gone() const noexcept;
  // The file whose lock makes two owners of this namespace impossible.
  [[nodiscard]] std::string lock_path() const { return namespace_dir_ + "/driver.lock"; }
  [[nodiscard]] std::string epoch_dir(std::uint32_t stream_id, std::uint64_t epoch) const;
  [[nodiscard]] mode_t directory_mode() const noexcept { return directory_mode_; }

  // Stream ids that have a directory, ascending.
  [[nodiscard]] Result<std::vector<std::uint32_t>> streams() const;
  // Epochs that have a directory, ascending; empty for a stream without one.
  [[nodiscard]] Result<std::vector<std::uint64_t>> epochs(std::uint32_t stream_id) const;

  // The highest that the stream is known to have had: of those that have a directory, and those that were removed from
  // the namespace. 0 if there was none.
  [[nodiscard]] Result<std::uint64_t> highest_epoch(std::uint32_t stream_id) const;

  // The activity time in the header ring's superblock, in its producer's clock. not_found if there is no whole
  // ring; any other error says that this process cannot read it, which is no sign of its death.
  [[nodiscard]] Result<Nanos> last_activity(std::uint32_t stream_id, std::uint64_t epoch) const;

  // Begins to remove an epoch. not_found if it has no directory.
  [[nodiscard]] Result<EpochRemoval> remove(std::uint32_t stream_id, std::uint64_t epoch);
  // Removes what a killed owner left half-made or half-removed, and streams' directories that are empty; says how many
  // directories went. REQUIRES: no RegionCreator and no EpochRemoval of this namespace is at work.
  [[nodiscard]] Result<std::size_t> remove_half_made();
  // The same for one stream, of which alone it REQUIRES that.
  [[nodiscard]] Result<std::size_t> remove_half_made(std::uint32_t stream_id);

  // --- for RegionCreator ---
  // A handle of the stream's directory, made if missing.
  [[nodiscard]] Result<UniqueFd> open_stream_dir(std::uint32_t stream_id);
  // Removes the stream's directory if nothing is in it; true if it did.
  bool remove_stream_dir_if_empty(std::uint32_t stream_id) noexcept;
  [[nodiscard]] SystemCalls& calls() const noexcept { return *calls_; }

 private:
  EpochStore() = default;
  [[nodiscard]] std::vector<std::uint64_t> past_epochs() const;
  void remember(std::uint64_t epoch);

  std::string base_dir_;
  std::string namespace_dir_;
  UniqueFd namespace_fd_;
  mode_t directory_mode_ = 0;
  SystemCalls* calls_ = nullptr;
};

}  // namespace tensorpool::shm
