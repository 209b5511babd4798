#include "protocol/region_uri.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/log.hpp"

namespace tensorpool::protocol {
namespace {

constexpr std::string_view scheme = "shm:file?";
constexpr std::string_view path_key = "path";
constexpr std::string_view hugepages_key = "require_hugepages";
constexpr char separator = '|';
constexpr std::size_t shown_bytes = 120;  // of foreign text in an error

// `offset` counts bytes of `text`, from 0.
Error fault_at(std::string_view text, std::size_t offset, std::string_view what) {
  return make_error(ErrorCode::invalid_argument, "region URI \"{}\": {}, at byte {}", escape(text, shown_bytes), what,
                    offset);
}

// What is wrong with a path, and at which of its bytes.
struct PathFault {
  std::size_t offset;
  std::string_view what;
};

constexpr bool is_control(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

std::optional<PathFault> find_path_fault(std::string_view path) {
  if (path.empty() || path.front() != '/') {
    return PathFault{0, "the path is not absolute"};
  }
  for (std::size_t start = 1; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view component = path.substr(start, end - start);
    if (component.empty()) {
      return PathFault{start, "a component of the path is empty"};
    }
    if (component == "." || component == "..") {
      return PathFault{start, "the path has a component \".\" or \"..\""};
    }
    start = end + 1;
  }
  return std::nullopt;
}

std::optional<PathFault> find_forbidden_byte(std::string_view text) {
  const auto* const found = std::ranges::find_if(text, is_control);
  if (found == text.end()) {
    return std::nullopt;
  }
  return PathFault{static_cast<std::size_t>(found - text.begin()), "a control character"};
}

std::optional<bool> parse_bool(std::string_view value) {
  if (value == "true") {
    return true;
  }
  return value == "false" ? std::optional(false) : std::nullopt;
}

// Takes one `key=value`, which starts at `offset` of `text`, into `uri`.
Status parse_item(std::string_view text, std::size_t offset, std::string_view item, RegionUri& uri) {
  const std::size_t equals = item.find('=');
  if (equals == std::string_view::npos) {
    return fault_at(text, offset, "expected key=value");
  }
  const std::string_view key = item.substr(0, equals);
  const std::string_view value = item.substr(equals + 1);
  const std::size_t value_offset = offset + equals + 1;
  if (key == path_key) {
    if (!uri.path.empty()) {
      return fault_at(text, offset, "\"path\" is there twice");
    }
    if (const auto fault = find_path_fault(value)) {
      return fault_at(text, value_offset + fault->offset, fault->what);
    }
    uri.path = value;
    return {};
  }
  if (key == hugepages_key) {
    if (uri.require_hugepages) {
      return fault_at(text, offset, "\"require_hugepages\" is there twice");
    }
    uri.require_hugepages = parse_bool(value);
    return uri.require_hugepages ? Status{}
                                 : fault_at(text, value_offset, "require_hugepages is neither true nor false");
  }
  return fault_at(text, offset, "unknown key (known: path, require_hugepages)");
}

}  // namespace

Result<RegionUri> parse_region_uri(std::string_view text) {
  if (text.size() > max_region_uri_length) {
    return fault_at(text, max_region_uri_length, "longer than 4096 bytes");
  }
  if (const auto fault = find_forbidden_byte(text)) {
    return fault_at(text, fault->offset, fault->what);
  }
  if (!text.starts_with(scheme)) {
    return fault_at(text, 0, "does not start with \"shm:file?\"");
  }
  RegionUri uri;
  for (std::size_t start = scheme.size(); start <= text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    if (auto status = parse_item(text, start, text.substr(start, end - start), uri); !status) {
      return status.error();
    }
    start = end + 1;
  }
  if (uri.path.empty()) {
    return fault_at(text, text.size(), "\"path\" is missing");
  }
  return uri;
}

Status check_region_path(std::string_view path) {
  std::optional<PathFault> fault = find_path_fault(path);
  if (!fault) {
    fault = find_forbidden_byte(path);
  }
  if (const std::size_t bar = path.find(separator); !fault && bar != std::string_view::npos) {
    fault = PathFault{bar, "a '|', which a region URI cannot hold"};
  }
  if (!fault && path.size() > max_region_path_length) {
    fault = PathFault{max_region_path_length, "too long for a region URI"};
  }
  if (!fault) {
    return {};
  }
  return make_error(ErrorCode::invalid_argument, "region path \"{}\": {}, at byte {}", escape(path, shown_bytes),
                    fault->what, fault->offset);
}

std::string format_region_uri(const RegionUri& uri) {
  std::string text = fmt::format("{}{}={}", scheme, path_key, uri.path);
  if (uri.require_hugepages) {
    text += fmt::format("{}{}={}", separator, hugepages_key, *uri.require_hugepages);
  }
  return text;
}

}  // namespace tensorpool::protocol
