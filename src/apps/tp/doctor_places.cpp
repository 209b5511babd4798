// tp doctor: the directories, who may write them, who serves them, and what was left in them.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "apps/tp/doctor.hpp"
#include "apps/tp/shm_gc.hpp"
#include "base/file_lock.hpp"
#include "shm/epoch_store.hpp"
#include "transport/blocked_publications.hpp"

namespace tensorpool::apps::tp {
namespace {

using transport::MediaDriverState;

void check_media_driver(Patient& patient, Findings& findings) {
  const transport::MediaDriverProbe probe = patient.probe(patient.aeron_dir);
  const bool external = patient.config.driver.driver.media_driver == "external";
  switch (probe.state) {
    case MediaDriverState::alive:
      findings.ok("media driver", fmt::format("alive in {}, pid {}", patient.aeron_dir, probe.pid));
      return;
    case MediaDriverState::absent:
      if (external) {
        findings.problem("media driver",
                         fmt::format("none in {}, and driver.media_driver is external", patient.aeron_dir),
                         "start it, or set driver.media_driver = \"auto\"");
      } else {
        findings.ok("media driver", fmt::format("none in {}; a driver starts one", patient.aeron_dir));
      }
      return;
    case MediaDriverState::stale:
      findings.warning("media driver", probe.detail,
                       external ? fmt::format("rm -r {}, and start the media driver", patient.aeron_dir)
                                : "none needed: the next driver removes the files and starts anew");
      return;
    case MediaDriverState::maybe_dead:
      findings.warning("media driver", probe.detail, "look again in 10 s: a dead one's heartbeat is old by then");
      return;
    case MediaDriverState::silent:
      findings.problem("media driver", probe.detail,
                       fmt::format("let it run on (kill -CONT {0}), or kill {0}", probe.pid));
      return;
    case MediaDriverState::unexamined:
      findings.problem("media driver", probe.detail,
                       "raise the limit that the text names, or end the media driver and start one of this version");
      return;
    case MediaDriverState::no_permission:
      findings.problem("media driver", probe.detail,
                       "join its group, or set driver.aeron_dir to a directory of your own");
      return;
  }
}

// Of the counters that the media driver shows; without them its own check says what is wrong.
void check_subscribers(const Patient& patient, Findings& findings) {
  const auto counters = transport::read_counters(patient.aeron_dir);
  if (!counters) {
    return;
  }
  const auto blocked = transport::blocked_publications(*counters);
  for (const transport::BlockedPublication& one : blocked) {
    findings.warning(
        "subscribers",
        fmt::format(
            "a publication of Aeron stream {} (session {}) is full, so its messages are dropped: the subscriber "
            "that does not read is {}",
            one.stream_id, one.session_id, transport::describe_subscriber(one)),
        "end that client, or let it subscribe with tether=false");
  }
  if (blocked.empty()) {
    findings.ok("subscribers", "none stops a publication");
  }
}

void check_aeron_directory(const Patient& patient, Findings& findings) {
  struct stat status {};
  if (::lstat(patient.aeron_dir.c_str(), &status) != 0) {
    return;  // told by the media driver's check
  }
  if (!S_ISDIR(status.st_mode)) {
    findings.problem("aeron directory", fmt::format("{} is no directory", patient.aeron_dir),
                     fmt::format("remove it, or set driver.aeron_dir"));
  } else if ((status.st_mode & S_IWOTH) != 0) {
    findings.problem("aeron directory",
                     fmt::format("anyone may write {}: whoever does can forge every message and crash every client",
                                 patient.aeron_dir),
                     fmt::format("chmod o-rwx {}", patient.aeron_dir));
  } else if ((status.st_mode & S_IROTH) != 0) {
    findings.warning("aeron directory", fmt::format("anyone may read {}", patient.aeron_dir),
                     fmt::format("chmod o-rwx {}", patient.aeron_dir));
  } else {
    findings.ok("aeron directory", fmt::format("{}, mode {:o}", patient.aeron_dir, status.st_mode & 07777));
  }
}

void check_base_directory(const Patient& patient, Findings& findings) {
  const std::string& base = patient.config.driver.shm.base_dir;
  if (const Status usable = shm::EpochStore::check_base_dir(base); !usable) {
    const bool closed = ::access(base.c_str(), R_OK | X_OK) != 0 && errno == EACCES;
    findings.problem("base directory", usable.error().message,
                     closed ? fmt::format("join the group of {}, or set shm.base_dir to a directory of your own", base)
                            : fmt::format("mkdir -p -m 755 {0}; chmod go-w {0}", base));
  } else {
    findings.ok("base directory", fmt::format("{} can be used", base));
  }
}

void check_stale_epochs(const Patient& patient, Findings& findings) {
  const auto store = open_namespace(patient.config.driver, patient.user);
  if (!store) {
    store.error().code == ErrorCode::not_found
        ? findings.ok("stale files", store.error().message)
        : findings.problem("stale files", store.error().message, "give the namespace back to its user, or remove it");
    return;
  }
  if (FileLock::is_held(store->lock_path())) {
    findings.ok("stale files", fmt::format("{} is in use; its driver cleans up", store->namespace_dir()));
    return;
  }
  const auto found = survey(*store, {0, patient.config.driver.epoch_gc_min_age_ns()}, patient.now);
  if (!found) {
    findings.problem("stale files", found.error().message, "see who may read it");
  } else if (found->dead_epochs() + found->half_made.size() > 0) {
    findings.warning(
        "stale files",
        fmt::format("{} dead epochs and {} half-made directories in {} hold {}", found->dead_epochs(),
                    found->half_made.size(), store->namespace_dir(), driver::format_bytes(found->dead_bytes())),
        fmt::format("tp shm gc {}", patient.config_path));
  } else {
    findings.ok("stale files", fmt::format("none in {}", store->namespace_dir()));
  }
}

// Directories that media drivers of this user left where Aeron makes them.
void check_leftover_aeron(const Patient& patient, Findings& findings) {
  const std::filesystem::path place = std::filesystem::path(patient.aeron_dir).parent_path();
  std::error_code error;
  for (std::filesystem::directory_iterator entry(place, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string path = entry->path().string();
    struct stat status {};
    const bool ours = entry->path().filename().string().starts_with("aeron") && path != patient.aeron_dir &&
                      ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == patient.uid;
    if (ours && patient.probe(path).state == MediaDriverState::stale) {
      findings.warning("stale files", fmt::format("{} is what a dead media driver left", path),
                       fmt::format("rm -r {}", path));
    }
  }
}

}  // namespace

void check_places(Patient& patient, Findings& findings) {
  check_media_driver(patient, findings);
  check_subscribers(patient, findings);
  check_aeron_directory(patient, findings);
  check_base_directory(patient, findings);
  check_stale_epochs(patient, findings);
  check_leftover_aeron(patient, findings);
}

}  // namespace tensorpool::apps::tp
