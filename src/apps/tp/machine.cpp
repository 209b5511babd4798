#include "apps/tp/machine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>

namespace tensorpool::apps::tp {
namespace {

namespace fs = std::filesystem;

std::optional<std::uint64_t> number_at(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data() + begin, text.data() + text.size(), value);
  return fault == std::errc{} ? std::optional(value) : std::nullopt;
}

// "32768K" -> 33554432
std::uint64_t cache_bytes(const std::string& size) {
  const std::uint64_t value = number_at(size).value_or(0);
  return size.find('K') != std::string::npos ? value << 10 : size.find('M') != std::string::npos ? value << 20 : value;
}

// /proc/self/mounts writes a blank in a path as \040.
std::string unescaped(std::string text) {
  for (std::size_t at = text.find("\\040"); at != std::string::npos; at = text.find("\\040", at)) {
    text.replace(at, 4, 1, ' ');
  }
  return text;
}

}  // namespace

std::optional<std::string> Machine::read_text(const char* path) {
  return SystemCalls::read_text((root_ + path).c_str());
}

std::optional<std::uint64_t> Machine::number(const std::string& path) {
  const auto text = read_text(path.c_str());
  return text ? number_at(*text) : std::nullopt;
}

std::optional<std::uint64_t> Machine::number(const std::string& path, std::string_view key) {
  const auto rest = line(path, key);
  return rest ? number_at(*rest) : std::nullopt;
}

std::optional<std::string> Machine::line(const std::string& path, std::string_view key) {
  const auto text = read_text(path.c_str());
  std::istringstream lines(text.value_or(""));
  for (std::string one; std::getline(lines, one);) {
    if (one.starts_with(key)) {
      return one.substr(key.size());
    }
  }
  return std::nullopt;
}

bool Machine::exists(const std::string& path) const {
  std::error_code ignored;
  return fs::exists(root_ + path, ignored);
}

std::vector<std::string> Machine::names_in(const std::string& path) const {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(root_ + path, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<Mount> Machine::mounts() {
  std::vector<Mount> found;
  std::istringstream lines(read_text("/proc/self/mounts").value_or(""));
  for (std::string one; std::getline(lines, one);) {
    std::istringstream words(one);
    std::string device;
    Mount mount;
    if (words >> device >> mount.directory >> mount.type >> mount.options) {
      mount.directory = unescaped(std::move(mount.directory));
      found.push_back(std::move(mount));
    }
  }
  return found;
}

std::optional<Mount> Machine::mount_of(const std::string& directory) {
  std::optional<Mount> best;
  for (Mount& mount : mounts()) {
    const std::size_t length = mount.directory == "/" ? 0 : mount.directory.size();
    const bool holds = directory.compare(0, length, mount.directory, 0, length) == 0 &&
                       (directory.size() == length || directory[length] == '/');
    if (holds && (!best || mount.directory.size() >= best->directory.size())) {
      best = std::move(mount);  // the later of two at one place hides the earlier
    }
  }
  return best;
}

Caches Machine::caches() {
  const std::string where = "/sys/devices/system/cpu/cpu0/cache";
  Caches found;
  for (const std::string& name : names_in(where)) {
    const std::string cache = fmt::format("{}/{}", where, name);
    const auto level = number(cache + "/level");
    const std::string type = read_text((cache + "/type").c_str()).value_or("");
    if (!level || type.starts_with("Instruction")) {
      continue;
    }
    const std::uint64_t bytes = cache_bytes(read_text((cache + "/size").c_str()).value_or(""));
    found.l2_bytes = *level == 2 ? bytes : found.l2_bytes;
    if (*level >= found.last_level && bytes > 0) {
      found.last_level = static_cast<std::uint32_t>(*level);
      found.last_level_bytes = bytes;
    }
  }
  return found;
}

}  // namespace tensorpool::apps::tp
