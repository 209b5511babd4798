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

struct DriverStart {
  // Does it all, in an order in which the next step may trust the last; fills in what deps leaves empty.
  [[nodiscard]] static Result<DriverStart> make(DriverConfig config, DriverDeps& deps);

  FileLock control_stream;  // two drivers on one would both answer
  std::unique_ptr<Books> books;
  MediaLink link;
};

}  // namespace tensorpool::driver
