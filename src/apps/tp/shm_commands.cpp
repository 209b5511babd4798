// tp shm inspect | validate | gc
#include <fmt/format.h>

#include <cstdio>

#include "apps/support/logging.hpp"
#include "apps/support/number_options.hpp"
#include "apps/tp/commands.hpp"
#include "apps/tp/shm_gc.hpp"
#include "apps/tp/shm_inspect.hpp"
#include "apps/tp/shm_validate.hpp"
#include "base/error.hpp"
#include "base/file_lock.hpp"
#include "base/log.hpp"
#include "base/user.hpp"
#include "protocol/region_uri.hpp"
#include "shm/listing.hpp"

namespace tensorpool::apps::tp {
namespace {

bool is_config(const std::string& path) { return path.empty() || path.ends_with(".toml"); }

shm::Listing listing_for(bool any_owner) {
  shm::Owners owners;
  owners.any = any_owner;
  return shm::Listing(std::move(owners));
}

// The directories and files to look at: PATH itself, or where the configuration at PATH keeps its regions.
Result<std::vector<std::string>> places(const Invocation& invocation, const std::string& path, shm::Listing& listing) {
  if (!is_config(path)) {
    const Result<protocol::RegionUri> uri = path.starts_with("shm:")
                                                ? protocol::parse_region_uri(path)
                                                : Result<protocol::RegionUri>(protocol::RegionUri{path, {}});
    if (!uri) return uri.error();
    listing.accept_owner_of(uri->path);  // the user named it
    return std::vector{uri->path};
  }
  const Result<NodeConfig> config = invocation.config(path);
  return config ? namespace_dirs(config->driver, listing) : config.error();
}

constexpr const char* any_owner_help = "also what belongs neither to this user nor to root";

struct InspectArguments {
  std::string path;
  std::optional<std::uint32_t> slot;
  std::vector<std::string> expected;
  bool any_owner = false;
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
  // A file that is no region, or cannot be read: the others are judged all the same.
  void refuse(const std::string& path, const Error& error) {
    all_ok_ = false;
    any_ = true;
    invocation_.json() ? json_.push_back({{"path", escape(path, 4096)}, {"ok", false}, {"error", error.message}})
                       : print_line(fmt::format("NOT OK: {}", error.message));
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

Status inspect_regions(const std::vector<std::string>& where, const InspectArguments& arguments, shm::Listing& listing,
                       Verdicts& verdicts) {
  const Nanos now = monotonic_now();
  for (const std::string& place : where) {
    const Result<std::vector<std::string>> files = find_regions(place, listing);
    if (!files) return files.error();
    for (const std::string& file : *files) {
      Result<shm::RegionReport> report = shm::inspect_region(file);
      if (!report) {
        verdicts.refuse(file, report.error());
      } else if (Status judged = verdicts.judge(*std::move(report), arguments.expected, now); !judged) {
        return judged;
      }
    }
  }
  return {};
}

int inspect(const Invocation& invocation, const InspectArguments& arguments) {
  shm::Listing listing = listing_for(arguments.any_owner);
  const Result<std::vector<std::string>> where = places(invocation, arguments.path, listing);
  Verdicts verdicts(invocation);
  Status done = where ? Status() : Status(where.error());
  if (where) {
    done = arguments.slot ? inspect_slots(*where, arguments, verdicts)
                          : inspect_regions(*where, arguments, listing, verdicts);
  }
  log_warnings(listing.describe_skipped());
  return done ? verdicts.finish() : fail(done.error());
}

struct ValidateArguments {
  std::string path;
  bool any_owner = false;
};

int validate(const Invocation& invocation, const ValidateArguments& arguments) {
  shm::Listing listing = listing_for(arguments.any_owner);
  const Result<std::vector<std::string>> where = places(invocation, arguments.path, listing);
  ShmVerdict verdict;
  if (where) {
    for (const std::string& dir : *where) {
      const bool in_use = FileLock::is_held(dir + "/driver.lock");
      if (const Status done = validate_namespace(dir, in_use, listing, verdict); !done) return fail(done.error());
    }
  }
  verdict.skipped = listing.describe_skipped();
  log_warnings(verdict.skipped);
  if (!where) return fail(where.error());
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
  add_count(command, "--keep", arguments->keep, "keep so many of the newest epochs of each stream");
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
  add_count(looking, "--slot", inspected->slot, "show the header in this slot of a header ring, from 0");
  looking.add_option("--expect", inspected->expected, "FIELD=VALUE, a field that must have this value (repeatable)")
      ->allow_extra_args(false);
  looking.add_flag("--any-owner", inspected->any_owner, any_owner_help);
  const auto checked = std::make_shared<ValidateArguments>();
  CLI::App& checking =
      registry.add(group, "validate", "Check every file of a namespace: superblocks, sizes, modes, slots",
                   "tp shm validate driver.toml",
                   [checked](const Invocation& invocation) { return validate(invocation, *checked); });
  checking.add_option("PATH", checked->path, "a namespace's directory, or a configuration (*.toml)");
  checking.add_flag("--any-owner", checked->any_owner, any_owner_help);
  add_gc(registry, group);
}

}  // namespace tensorpool::apps::tp
