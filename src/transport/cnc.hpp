// A media driver's command-and-control file, mapped read-only for a look. Private to the Aeron implementation.
#pragma once

#include <aeronc.h>

#include <memory>
#include <string>

#include "tensorpool/result.hpp"

namespace tensorpool::transport {

struct CncClose {
  void operator()(aeron_cnc_t* cnc) const noexcept { aeron_cnc_close(cnc); }
};
using Cnc = std::unique_ptr<aeron_cnc_t, CncClose>;

// Fails at once if the file is missing, unreadable, of another version or not complete.
[[nodiscard]] Result<Cnc> open_cnc(const std::string& aeron_dir);

}  // namespace tensorpool::transport
