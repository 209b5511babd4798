#include "apps/tp/shm_gc.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/error.hpp"
#include "base/log.hpp"

namespace tensorpool::apps::tp {
namespace {

namespace fs = std::filesystem;
using State = FoundEpoch::State;

std::uint64_t held_bytes(const std::string& dir) {
  std::uint64_t total = 0;
  std::error_code error;
  for (fs::directory_iterator entry(dir, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
    struct stat status {};
    if (::lstat(entry->path().c_str(), &status) == 0) {
      total += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
  }
  return total;
}

// A time ahead of the clock is from before a reboot, a negative one is no time: neither is a sign of life. As the
// driver's own collector judges.
bool is_fresh(const shm::EpochStore& store, const FoundEpoch& epoch, Nanos min_age_ns, Nanos now) {
  const Result<Nanos> activity = store.last_activity(epoch.stream_id, epoch.epoch);
  if (!activity) return activity.error().code != ErrorCode::not_found;  // cannot be read: it may be alive
  return *activity >= 0 && *activity <= now && now - *activity < min_age_ns;
}

std::vector<std::string> half_made_in(const std::string& stream_dir) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator entry(stream_dir, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(shm::making_prefix) || name.starts_with(shm::removed_prefix)) {
      found.push_back(entry->path().string());
    }
  }
  return found;
}

Status remove_epoch(shm::EpochStore& store, const FoundEpoch& epoch) {
  Result<shm::EpochRemoval> removal = store.remove(epoch.stream_id, epoch.epoch);
  if (!removal) {
    return removal.error();
  }
  for (;;) {
    const Result<bool> done = removal->step();
    if (!done) {
      return done.error();
    }
    if (*done) {
      return {};
    }
  }
}

}  // namespace

std::string_view to_string(State state) noexcept {
  if (state == State::fresh) return "fresh";
  return state == State::kept ? "kept" : "dead";
}

std::uint64_t Survey::dead_bytes() const {
  std::uint64_t bytes = 0;
  for (const FoundEpoch& epoch : epochs) {
    bytes += epoch.state == State::dead ? epoch.held_bytes : 0;
  }
  return bytes;
}

std::size_t Survey::dead_epochs() const {
  return static_cast<std::size_t>(
      std::count_if(epochs.begin(), epochs.end(), [](const FoundEpoch& one) { return one.state == State::dead; }));
}

Result<shm::EpochStore> open_namespace(const driver::DriverConfig& config, const std::string& effective_user) {
  const std::string& user = config.shm.user.empty() ? effective_user : config.shm.user;
  const Result<std::uint32_t> mode = driver::parse_permissions_mode(config.shm.permissions_mode);
  if (!mode) {
    return mode.error();
  }
  const std::string dir =
      fmt::format("{}/{}/{}", config.shm.base_dir, shm::user_directory_name(user), config.shm.name_space);
  std::error_code ignored;
  if (!fs::is_directory(dir, ignored)) {  // opening the store would make it
    return make_error(ErrorCode::not_found, "there is no namespace {} of user {} below {}", config.shm.name_space, user,
                      config.shm.base_dir);
  }
  shm::StoreOptions options;
  options.base_dir = config.shm.base_dir;
  options.user = user;
  options.namespace_name = config.shm.name_space;
  return shm::EpochStore::open(options);
}

Result<Survey> survey(const shm::EpochStore& store, const GcOptions& options, Nanos now) {
  const Result<std::vector<std::uint32_t>> streams = store.streams();
  if (!streams) {
    return streams.error();
  }
  Survey found;
  for (const std::uint32_t stream_id : *streams) {
    Result<std::vector<std::uint64_t>> epochs = store.epochs(stream_id);
    if (!epochs) {
      return epochs.error();
    }
    std::reverse(epochs->begin(), epochs->end());  // newest first
    for (std::size_t rank = 0; rank < epochs->size(); ++rank) {
      FoundEpoch one{stream_id, (*epochs)[rank], store.epoch_dir(stream_id, (*epochs)[rank]), 0, State::dead};
      one.held_bytes = held_bytes(one.path);
      one.state = is_fresh(store, one, options.min_age_ns, now) ? State::fresh
                  : rank < options.keep                         ? State::kept
                                                                : State::dead;
      found.epochs.push_back(std::move(one));
    }
    const auto half_made = half_made_in(fmt::format("{}/{}", store.namespace_dir(), stream_id));
    found.half_made.insert(found.half_made.end(), half_made.begin(), half_made.end());
  }
  return found;
}

Status collect(shm::EpochStore& store, const Survey& survey) {
  for (const FoundEpoch& epoch : survey.epochs) {
    if (epoch.state == State::dead) {
      if (Status removed = remove_epoch(store, epoch); !removed) {
        return removed;
      }
    }
  }
  const Result<std::size_t> half_made = store.remove_half_made();
  return half_made ? Status() : Status(half_made.error());
}

std::string describe(const Survey& survey, bool removed) {
  std::vector<std::string> lines;
  for (const FoundEpoch& epoch : survey.epochs) {
    const bool dead = epoch.state == State::dead;
    lines.push_back(fmt::format("{}: {}, {}", escape(epoch.path, 4096), driver::format_bytes(epoch.held_bytes),
                                dead ? (removed ? "removed" : "dead") : to_string(epoch.state)));
  }
  for (const std::string& dir : survey.half_made) {
    lines.push_back(fmt::format("{}: half-made{}", escape(dir, 4096), removed ? ", removed" : ""));
  }
  lines.push_back(fmt::format("{} epochs and {} half-made directories {}, {}", survey.dead_epochs(),
                              survey.half_made.size(), removed ? "removed" : "would be removed",
                              driver::format_bytes(survey.dead_bytes())));
  return fmt::format("{}", fmt::join(lines, "\n"));
}

Json to_json(const Survey& survey, bool removed) {
  Json epochs = Json::array();
  for (const FoundEpoch& epoch : survey.epochs) {
    epochs.push_back({{"stream_id", epoch.stream_id},
                      {"epoch", std::to_string(epoch.epoch)},
                      {"path", escape(epoch.path, 4096)},
                      {"held_bytes", epoch.held_bytes},
                      {"state", to_string(epoch.state)},
                      {"removed", removed && epoch.state == State::dead}});
  }
  Json half_made = Json::array();
  for (const std::string& dir : survey.half_made) {
    half_made.push_back(escape(dir, 4096));
  }
  return {{"epochs", std::move(epochs)},
          {"half_made", std::move(half_made)},
          {"removed_bytes", removed ? survey.dead_bytes() : 0}};
}

}  // namespace tensorpool::apps::tp
