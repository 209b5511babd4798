// DriverStart: everything that must hold before a driver serves its first request: a sound configuration, the sole
// right to the namespace and to the control stream, and a media driver.
#pragma once

#include <memory>

#include "base/file_lock.hpp"
#include "roles/driver/books.hpp"
#include "roles/driver/driver.hpp"
#include "roles/driver/media_link.hpp"
#include "tensorpool/driver_config.hpp"

namespace tensorpool::driver {

// Two drivers on one namespace would hand out each other's files; two on one control stream would both answer.
struct DriverLocks {
  FileLock name_space;
  FileLock control_stream;
};

struct DriverStart {
  // Does it all, in an order in which the next step may trust the last; fills in what deps leaves empty.
  [[nodiscard]] static Result<DriverStart> make(DriverConfig config, DriverDeps& deps);

  DriverLocks locks;
  std::unique_ptr<Books> books;
  MediaLink link;
};

}  // namespace tensorpool::driver
