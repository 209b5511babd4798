#include <unistd.h>

#include <string>

#include "transport/loopback/faults.hpp"

namespace tensorpool::transport {
namespace {

std::string conformance_dir() {
  static int number = 0;
  return "bus-" + std::to_string(++number);
}

void remove_conformance_dir(const std::string& dir) { loopback::remove_bus(dir); }

}  // namespace
}  // namespace tensorpool::transport

#include "transport/transport_conformance.inc.hpp"  // NOLINT: needs the functions above
