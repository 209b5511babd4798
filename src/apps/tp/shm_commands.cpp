// tp shm inspect | validate | gc
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "apps/tp/commands.hpp"
#include "apps/tp/shm_gc.hpp"
#include "apps/tp/shm_inspect.hpp"
#include "apps/tp/shm_validate.hpp"
#include "base/error.hpp"
#include "base/file_lock.hpp"
#include "base/user.hpp"
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

struct InspectArguments {
  std::string path;
  std::optional<std::uint32_t> slot;
  std::vector<std::string> expected;
};

// Every line, or element of a list, with its verdict.
class Verdicts {
 public:
  explicit Verdicts(const Invocation& invocation) : invocation_(invocation) {}
  template <class Report, class... Rest>
  Status judge(Report report, const std::vector<std::string>& expected, Rest... rest) {
    if (Status known = expect_fields(report.fields, expected); !known) return known;
    all_ok_ = all_ok_ && report.ok();
    any_ = true;
    invocation_.json() ? json_.push_back(to_json(report, rest...)) : print_line(describe(report, rest...));
    return {};
  }
  int finish() {
    if (invocation_.json()) print_json(json_);
    if (!invocation_.json() && !any_) print_line("no region files");
    return all_ok_ ? exit_ok : exit_failed;
  }

 private:
  const Invocation& invocation_;
  bool all_ok_ = true;
  bool any_ = false;
  Json json_ = Json::array();
};

Status inspect_slots(const std::vector<std::string>& where, const InspectArguments& arguments, Verdicts& verdicts) {
  for (const std::string& path : where) {
    auto report = shm::inspect_slot(path, *arguments.slot);
    if (!report) return report.error();
    if (Status judged = verdicts.judge(*std::move(report), arguments.expected); !judged) return judged;
  }
  return {};
}

Status inspect_regions(const std::vector<std::string>& where, const InspectArguments& arguments, Verdicts& verdicts) {
  auto reports = inspect_all(where);
  if (!reports) return reports.error();
  const Nanos now = monotonic_now();
  for (shm::RegionReport& report : *reports) {
    if (Status judged = verdicts.judge(std::move(report), arguments.expected, now); !judged) return judged;
  }
  return {};
}

int inspect(const Invocation& invocation, const InspectArguments& arguments) {
  const Result<std::vector<std::string>> where = places(invocation, arguments.path);
  if (!where) {
    return fail(where.error());
  }
  Verdicts verdicts(invocation);
  const Status done =
      arguments.slot ? inspect_slots(*where, arguments, verdicts) : inspect_regions(*where, arguments, verdicts);
  return done ? verdicts.finish() : fail(done.error());
}

int validate(const Invocation& invocation, const std::string& path) {
  const bool is_config = path.empty() || path.ends_with(".toml");
  const Result<std::vector<std::string>> where =
      is_config ? places(invocation, path) : Result<std::vector<std::string>>(std::vector{path});
  if (!where) {
    return fail(where.error());
  }
  ShmVerdict verdict;
  for (const std::string& dir : *where) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(dir, ignored)) {
      return fail(make_error(ErrorCode::not_found, "{}: no such directory", dir));
    }
    validate_namespace(dir, FileLock::is_held(dir + "/driver.lock"), verdict);
  }
  invocation.json() ? print_json(to_json(verdict)) : print_line(describe(verdict));
  return verdict.ok() ? exit_ok : exit_failed;
}

struct GcArguments {
  std::string config;
  std::uint32_t keep = 0;
  bool dry_run = false;
};

// A driver, and a standalone producer, holds the lock as long as it lives; a dry run takes it too, for the same answer.
Result<FileLock> lock_of(const shm::EpochStore& store) {
  Result<FileLock> lock = FileLock::try_acquire(store.lock_path());
  if (!lock && lock.error().code == ErrorCode::already_exists) {
    return make_error(ErrorCode::refused,
                      "{} is in use ({}); its driver collects dead epochs itself, stop it to collect from outside",
                      store.namespace_dir(), lock.error().message);
  }
  return lock;
}

int gc(const Invocation& invocation, const GcArguments& arguments) {
  const Result<NodeConfig> config = invocation.config(arguments.config);
  if (!config) {
    return fail(config.error());
  }
  Result<shm::EpochStore> store = open_namespace(config->driver, effective_user_name());
  if (!store) {
    return fail(store.error());
  }
  const Result<FileLock> lock = lock_of(*store);
  if (!lock) {
    return fail(lock.error());
  }
  const Result<Survey> found = survey(*store, {arguments.keep, config->driver.epoch_gc_min_age_ns()}, monotonic_now());
  if (!found) {
    return fail(found.error());
  }
  if (!arguments.dry_run) {
    if (const Status collected = collect(*store, *found); !collected) {
      return fail(collected.error());
    }
  }
  const bool removed = !arguments.dry_run;
  invocation.json() ? print_json(to_json(*found, removed)) : print_line(describe(*found, removed));
  return exit_ok;
}

void add_gc(Registry& registry, CLI::App& group) {
  const auto arguments = std::make_shared<GcArguments>();
  CLI::App& command =
      registry.add(group, "gc", "Remove what a dead driver left in its namespace", "tp shm gc driver.toml --dry-run",
                   [arguments](const Invocation& invocation) { return gc(invocation, *arguments); });
  command.add_option("CONFIG", arguments->config, "configuration file");
  command.add_option("--keep", arguments->keep, "keep so many of the newest epochs of each stream")
      ->check(an_integer_from(0))
      ->capture_default_str();
  command.add_flag("--dry-run", arguments->dry_run, "only say what would be removed");
}

}  // namespace

void register_shm(Registry& registry) {
  CLI::App& group = registry.group("shm", "Look at shared memory, and clean it up");
  const auto inspected = std::make_shared<InspectArguments>();
  CLI::App& looking =
      registry.add(group, "inspect", "Show the superblock and the slots of region files",
                   "tp shm inspect /dev/shm/tensorpool-$USER/default/1",
                   [inspected](const Invocation& invocation) { return inspect(invocation, *inspected); });
  looking.add_option("PATH", inspected->path,
                     "a region file, its shm:file URI, a directory of them, or a configuration (*.toml)");
  looking.add_option("--slot", inspected->slot, "show the header in this slot of a header ring, from 0")
      ->check(an_integer_from(0));
  looking.add_option("--expect", inspected->expected, "FIELD=VALUE, a field that must have this value (repeatable)")
      ->allow_extra_args(false);
  auto checked = std::make_shared<std::string>();
  registry
      .add(group, "validate", "Check every file of a namespace: superblocks, sizes, modes, slots",
           "tp shm validate driver.toml",
           [checked](const Invocation& invocation) { return validate(invocation, *checked); })
      .add_option("PATH", *checked, "a namespace's directory, or a configuration (*.toml)");
  add_gc(registry, group);
}

}  // namespace tensorpool::apps::tp
