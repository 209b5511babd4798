// A directory for one run of the demo: the media driver, the regions, the logs. Unique, locked while its run lives, and
// removed with everything in it; what a killed run left behind is removed by the next one.
#pragma once

#include <string>

#include "base/file_lock.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::apps {

class DemoDirectory {
 public:
  // Below /dev/shm, or below /tmp when /dev/shm has less than `bytes_needed` free.
  [[nodiscard]] static Result<DemoDirectory> create(std::uint64_t bytes_needed);
  DemoDirectory(DemoDirectory&& other) noexcept;
  DemoDirectory& operator=(DemoDirectory&&) = delete;
  ~DemoDirectory();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  // Leaves the directory where it is.
  void keep() noexcept;

 private:
  DemoDirectory(std::string path, FileLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  FileLock lock_;
  bool keep_ = false;
};

// Removes the directories below `parent` whose run is over. Those of other users stay.
void remove_abandoned_directories(const std::string& parent);

}  // namespace tensorpool::apps
