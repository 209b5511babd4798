#include "apps/tp/driver_validate.hpp"

#include <fmt/format.h>

#include <charconv>
#include <sstream>

#include "apps/support/driver_host.hpp"
#include "shm/epoch_store.hpp"
#include "transport/channel_uri.hpp"

namespace tensorpool::apps::tp {
namespace {

constexpr std::uint64_t log_bytes_per_descriptor = 96;
constexpr std::uint64_t eviction_ms = 50 + 50 + 2 * 20;  // window limit, linger, two timer ticks of the media driver

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

// "4m" -> 4194304
std::uint64_t bytes_of(const std::string& size) {
  std::uint64_t value = 0;
  const auto [end, fault] = std::from_chars(size.data(), size.data() + size.size(), value);
  if (fault != std::errc{} || end == size.data() + size.size()) {
    return value;
  }
  const char unit = static_cast<char>(*end | 0x20);
  return value << (unit == 'k' ? 10 : unit == 'm' ? 20 : unit == 'g' ? 30 : 0);
}

}  // namespace

std::optional<std::uint64_t> descriptor_rate_limit(const std::string& channel) {
  const Result<std::string> full = transport::descriptor_publication_channel(channel);
  const Result<transport::ChannelUri> uri = transport::ChannelUri::parse(full ? *full : channel);
  const std::string* term = uri && uri->media() == transport::Media::ipc ? uri->find("term-length") : nullptr;
  if (term == nullptr) {
    return std::nullopt;
  }
  return bytes_of(*term) / 2 / 8 * 1000 / (log_bytes_per_descriptor * eviction_ms);
}

Verdict validate_config(const std::string& path, const Result<NodeConfig>& loaded) {
  Verdict verdict;
  verdict.file = path;
  if (!loaded) {
    verdict.errors = lines_of(loaded.error().message);
    return verdict;
  }
  verdict.warnings = loaded->warnings;
  if (const Status checked = check_driver(*loaded, verdict.warnings); !checked) {
    verdict.errors = lines_of(checked.error().message);
    return verdict;
  }
  if (const Status base = shm::EpochStore::check_base_dir(loaded->driver.shm.base_dir); !base) {
    verdict.errors.push_back(with_place(*loaded, base.error().message));
  }
  verdict.footprint = driver::footprint(loaded->driver);
  for (const driver::StaticStream& stream : loaded->driver.streams) {
    verdict.profiles[stream.name] = stream.profile;
  }
  const shm::Space space = space_of(loaded->driver);
  verdict.notes = driver::describe(*verdict.footprint, loaded->driver, space.free_bytes());
  auto shortage = driver::describe_shortage(*verdict.footprint, loaded->driver, space.free_bytes(), space.limited_by());
  if (shortage && verdict.ok()) verdict.warnings.push_back(*std::move(shortage));
  verdict.caches = Machine().caches();
  verdict.pools = pools_of(loaded->driver);
  for (const CacheFit& pool : verdict.pools) {
    verdict.notes.push_back(describe(pool, verdict.caches));
  }
  if (const auto rate = descriptor_rate_limit(loaded->driver.driver.descriptor_channel)) {
    verdict.notes.push_back(fmt::format(
        "each producer may publish up to about {} frames/s before a stalled consumer costs descriptors; for more, give "
        "driver.descriptor_channel a longer term, such as \"aeron:ipc?term-length=16m\"",
        *rate));
  }
  return verdict;
}

std::string describe(const Verdict& verdict) {
  std::string out;
  for (const std::string& error : verdict.errors) {
    out += fmt::format("error: {}\n", error);
  }
  for (const std::string& warning : verdict.warnings) {
    out += fmt::format("warning: {}\n", warning);
  }
  for (const std::string& note : verdict.notes) {
    out += note + "\n";
  }
  return out + fmt::format("{}: {}, {} error{}, {} warning{}", verdict.file, verdict.ok() ? "ok" : "not usable",
                           verdict.errors.size(), verdict.errors.size() == 1 ? "" : "s", verdict.warnings.size(),
                           verdict.warnings.size() == 1 ? "" : "s");
}

Json to_json(const Verdict& verdict) {
  Json json{{"file", verdict.file}, {"ok", verdict.ok()}, {"errors", verdict.errors}, {"warnings", verdict.warnings}};
  if (verdict.footprint) {
    json["streams"] = Json::array();
    for (const driver::StreamFootprint& stream : verdict.footprint->streams) {
      const auto profile = verdict.profiles.find(stream.name);
      json["streams"].push_back({{"stream_id", stream.stream_id},
                                 {"name", stream.name},
                                 {"profile", profile == verdict.profiles.end() ? "" : profile->second},
                                 {"bytes", stream.bytes}});
    }
    json["total_bytes"] = verdict.footprint->total_bytes;
    json["dynamic_streams"] = verdict.footprint->dynamic_streams;
    json["dynamic_bytes"] = verdict.footprint->dynamic_bytes;
    json["pools"] = Json::array();
    for (const CacheFit& pool : verdict.pools) {
      json["pools"].push_back(to_json(pool, verdict.caches));
    }
  }
  return json;
}

}  // namespace tensorpool::apps::tp
