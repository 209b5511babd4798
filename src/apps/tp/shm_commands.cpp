// tp shm inspect
#include <fmt/format.h>

#include <cstdio>

#include "apps/tp/commands.hpp"
#include "apps/tp/shm_inspect.hpp"
#include "base/error.hpp"
#include "protocol/region_uri.hpp"

namespace tensorpool::apps::tp {
namespace {

// The directories and files to look at: PATH itself, or where the configuration at PATH keeps its regions.
Result<std::vector<std::string>> places(const Invocation& invocation, const std::string& path) {
  if (path.starts_with("shm:")) {
    const Result<protocol::RegionUri> uri = protocol::parse_region_uri(path);
    return uri ? Result<std::vector<std::string>>(std::vector{uri->path}) : uri.error();
  }
  const bool is_config = path.empty() || path.ends_with(".toml");
  if (!is_config) {
    return std::vector{path};
  }
  const Result<NodeConfig> config = invocation.config(path);
  if (!config) {
    return config.error();
  }
  std::vector<std::string> dirs = namespace_dirs(config->driver);
  if (dirs.empty()) {
    return make_error(ErrorCode::not_found, "no regions of namespace {} below {}", config->driver.shm.name_space,
                      config->driver.shm.base_dir);
  }
  return dirs;
}

Result<std::vector<shm::RegionReport>> inspect_all(const std::vector<std::string>& places) {
  std::vector<shm::RegionReport> reports;
  for (const std::string& place : places) {
    const Result<std::vector<std::string>> files = find_regions(place);
    if (!files) {
      return files.error();
    }
    for (const std::string& file : *files) {
      Result<shm::RegionReport> report = shm::inspect_region(file);
      if (!report) {
        return report.error();
      }
      reports.push_back(std::move(*report));
    }
  }
  return reports;
}

int inspect(const Invocation& invocation, const std::string& path) {
  const Result<std::vector<std::string>> where = places(invocation, path);
  if (!where) {
    return fail(where.error());
  }
  const Result<std::vector<shm::RegionReport>> reports = inspect_all(*where);
  if (!reports) {
    return fail(reports.error());
  }
  const Nanos now = monotonic_now();
  bool all_ok = true;
  Json json = Json::array();
  for (const shm::RegionReport& report : *reports) {
    all_ok = all_ok && report.ok();
    invocation.json() ? json.push_back(to_json(report, now)) : print_line(describe(report, now));
  }
  if (invocation.json()) {
    print_json(json);
  } else if (reports->empty()) {
    print_line("no region files");
  }
  return all_ok ? exit_ok : exit_failed;
}

}  // namespace

void register_shm(Registry& registry) {
  CLI::App& group = registry.group("shm", "Look at shared memory");
  auto path = std::make_shared<std::string>();
  registry
      .add(group, "inspect", "Show the superblock and the slots of region files",
           "tp shm inspect /dev/shm/tensorpool-$USER/default/1",
           [path](const Invocation& invocation) { return inspect(invocation, *path); })
      .add_option("PATH", *path, "a region file, its shm:file URI, a directory of them, or a configuration (*.toml)");
}

}  // namespace tensorpool::apps::tp
