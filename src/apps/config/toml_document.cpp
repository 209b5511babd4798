// The only file that knows the TOML library: its headers are slow to compile and its types stop here.
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "apps/config/value.hpp"
#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace tensorpool::apps {
namespace {

constexpr std::size_t max_config_bytes = 16u << 20;

Value convert(const toml::node& node);

Value convert_table(const toml::table& table) {
  std::vector<std::pair<toml::source_position, Member>> found;
  for (const auto& [key, node] : table) {
    const toml::source_position begin = key.source().begin;
    found.push_back({begin, Member{std::string(key.str()), static_cast<int>(begin.line), convert(node)}});
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  Value out;
  for (auto& [position, member] : found) {
    out.members.push_back(std::move(member));
  }
  return out;
}

Value convert_array(const toml::array& array) {
  Value out;
  out.kind = Value::Kind::array;
  for (const toml::node& item : array) {
    out.items.push_back(convert(item));
  }
  return out;
}

Value convert_scalar(const toml::node& node) {
  Value out;
  if (const auto* boolean = node.as_boolean()) {
    out.kind = Value::Kind::boolean;
    out.boolean = boolean->get();
  } else if (const auto* integer = node.as_integer()) {
    out.kind = Value::Kind::integer;
    out.integer = integer->get();
  } else if (const auto* real = node.as_floating_point()) {
    out.kind = Value::Kind::real;
    out.real = real->get();
  } else if (const auto* text = node.as_string()) {
    out.kind = Value::Kind::text;
    out.text = text->get();
  } else {
    out.kind = Value::Kind::other;
    out.text = "a date or time";
  }
  return out;
}

Value convert(const toml::node& node) {
  Value out = node.is_table()   ? convert_table(*node.as_table())
              : node.is_array() ? convert_array(*node.as_array())
                                : convert_scalar(node);
  out.line = static_cast<int>(node.source().begin.line);
  return out;
}

Result<std::string> read_all(int fd, const std::string& path) {
  std::string text;
  std::array<char, 65536> chunk;
  for (;;) {
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return errno_error(errno, "{}: cannot read the configuration", path);
    }
    if (got == 0) {
      return text;
    }
    text.append(chunk.data(), static_cast<std::size_t>(got));
    if (text.size() > max_config_bytes) {
      return make_error(ErrorCode::invalid_config, "{}: longer than {} MiB; this is no configuration file", path,
                        max_config_bytes >> 20);
    }
  }
}

}  // namespace

Result<Value> parse_toml(std::string_view text, std::string_view name) {
  const toml::parse_result parsed = toml::parse(text, name);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return make_error(ErrorCode::invalid_config, "{}:{}:{}: not valid TOML: {}", name, error.source().begin.line,
                      error.source().begin.column, error.description());
  }
  return convert_table(parsed.table());
}

Result<Value> read_toml(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    return errno_error(errno, "{}: cannot open the configuration", path);
  }
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) {
    return errno_error(errno, "{}: cannot read the configuration", path);
  }
  if (S_ISDIR(about.st_mode)) {
    return make_error(ErrorCode::invalid_config, "{}: is a directory; name a TOML file", path);
  }
  if (!S_ISREG(about.st_mode)) {
    return make_error(ErrorCode::invalid_config, "{}: is no regular file; name a TOML file", path);
  }
  Result<std::string> text = read_all(fd.get(), path);
  if (!text) {
    return text.error();
  }
  return parse_toml(*text, path);
}

}  // namespace tensorpool::apps
