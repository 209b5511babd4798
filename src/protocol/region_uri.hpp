// `shm:file?path=<absolute path>[|require_hugepages=true|false]`: how announces and responses name a region file.
// Parsing decides only what the text may say; which directories may be opened is shm/path_policy.hpp's business.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "tensorpool/result.hpp"

namespace tensorpool::protocol {

inline constexpr std::size_t max_region_uri_length = 4096;
// Leaves room for the scheme and both keys.
inline constexpr std::size_t max_region_path_length =
    max_region_uri_length - std::string_view("shm:file?path=|require_hugepages=false").size();

struct RegionUri {
  std::string path;                         // absolute and normal: see check_region_path
  std::optional<bool> require_hugepages{};  // nothing: the URI does not say

  bool operator==(const RegionUri&) const = default;
};

// Accepts the scheme and the two keys above, each at most once, `path` required; an error says what is wrong and where.
[[nodiscard]] Result<RegionUri> parse_region_uri(std::string_view text);

// Accepts `/a/b`: absolute, no component empty, "." or "..", no control characters, no '|', short enough for a region
// URI.
[[nodiscard]] Status check_region_path(std::string_view path);

// The URI of a region. REQUIRES: check_region_path(uri.path) succeeds.
[[nodiscard]] std::string format_region_uri(const RegionUri& uri);

}  // namespace tensorpool::protocol
