// Any text as a region URI: what is accepted names a safe path and survives formatting; what is not gets a short error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/region_uri.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tensorpool::protocol;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(check_region_path(text));
  const auto uri = parse_region_uri(text);
  if (!uri) {
    if (uri.error().message.empty() || uri.error().message.size() > 1024) std::abort();
    return 0;
  }
  const std::string& path = uri->path;
  if (path.front() != '/' || path.size() > max_region_uri_length || path.find('\0') != std::string::npos ||
      (path + "/").find("/../") != std::string::npos || (path + "/").find("//") != std::string::npos) {
    std::abort();
  }
  const auto again = parse_region_uri(format_region_uri(*uri));
  if (!again || *again != *uri) std::abort();
  return 0;
}
