#include <cstdlib>
#include <filesystem>
#include <string>

namespace tensorpool::transport {
namespace {

// Beside the media driver's directory lies its lock file, so each test has a directory around both.
std::string conformance_dir() {
  std::string parent = "/dev/shm/tp-transport-XXXXXX";
  if (::mkdtemp(parent.data()) == nullptr) std::abort();
  return parent + "/aeron";
}

void remove_conformance_dir(const std::string& dir) {
  std::filesystem::remove_all(std::filesystem::path(dir).parent_path());
}

}  // namespace
}  // namespace tensorpool::transport

#include "transport/transport_conformance.inc.hpp"  // NOLINT: needs the functions above
