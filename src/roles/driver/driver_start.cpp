#include "roles/driver/driver_start.hpp"

#include <filesystem>

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/user.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::driver {

namespace {

// What the file system below the base directory is.
struct Backing {
  bool hugepages = false;
  std::uint64_t page_bytes = 4096;
};

void fill_in(DriverDeps& deps, const DriverConfig& config) {
  if (deps.system_calls == nullptr) {
    deps.system_calls = &shm::system_calls();
  }
  if (!deps.realtime) {
    deps.realtime = [] { return realtime_now(); };
  }
  if (!deps.space) {
    deps.space = [calls = deps.system_calls](const std::string& directory) {
      return shm::probe_space(directory, *calls);
    };
  }
  if (deps.user.empty()) {
    deps.user = config.shm.user.empty() ? effective_user_name() : config.shm.user;
  }
  if (!config.driver.aeron_dir.empty()) {
    deps.aeron_dir = config.driver.aeron_dir;
  } else if (deps.aeron_dir.empty()) {
    deps.aeron_dir = transport::default_aeron_dir();
  }
}

Result<shm::EpochStore> open_store(const DriverConfig& config, const std::string& user, shm::SystemCalls& calls) {
  const auto file_mode = parse_permissions_mode(config.shm.permissions_mode);
  if (!file_mode) {
    return file_mode.error();
  }
  shm::StoreOptions options;
  options.base_dir = config.shm.base_dir;
  options.user = user;
  options.namespace_name = config.shm.name_space;
  options.directory_mode = shm::directory_mode_for(*file_mode);
  return shm::EpochStore::open(options, calls);
}

Result<FileLock> lock(const std::string& path, std::string_view what, std::string_view remedy) {
  auto taken = FileLock::try_acquire(path);
  if (!taken && taken.error().code == ErrorCode::already_exists) {
    return make_error(ErrorCode::already_exists, "another driver {}: {}; {}", what, taken.error().message, remedy);
  }
  return taken;
}

Result<FileLock> lock_namespace(const shm::EpochStore& store) {
  return lock(store.lock_path(), fmt::format("serves the namespace {}", store.namespace_dir()),
              "stop it, or set shm.namespace to another name");
}

Result<NameSpace> open_namespace(const DriverConfig& config, const std::string& user, shm::SystemCalls& calls) {
  auto store = open_store(config, user, calls);
  if (!store) {
    return store.error();
  }
  auto locked = lock_namespace(*store);
  if (!locked) {
    return locked.error();
  }
  return NameSpace{std::move(*locked), std::move(*store)};
}

// Beside the Aeron directory, under the one name that all its spellings lead to; holds while media drivers come and go,
// where the claim on one media driver does not.
// REQUIRES: connected, so the directory is there, and no link to it dangles.
Result<FileLock> lock_control_stream(const std::string& aeron_dir, std::uint32_t control_stream_id) {
  namespace fs = std::filesystem;
  std::error_code failed;
  fs::path directory = fs::weakly_canonical(fs::absolute(aeron_dir, failed), failed);
  if (failed) {
    return make_error(ErrorCode::io_error, "cannot resolve driver.aeron_dir {}: {}", aeron_dir, failed.message());
  }
  if (!directory.has_filename()) {
    directory = directory.parent_path();
  }
  return lock(fmt::format("{}.driver-{}.lock", directory.string(), control_stream_id),
              fmt::format("answers on control stream {} of {}", control_stream_id, aeron_dir),
              "stop it, or set driver.control_stream_id or driver.aeron_dir to another");
}

Result<Backing> inspect_backing(const DriverConfig& config, const DriverDeps& deps, const shm::EpochStore& store) {
  struct statfs found {};
  if (deps.system_calls->file_system_of_path(store.namespace_dir().c_str(), &found) != 0) {
    return errno_error(errno, "cannot inspect the file system of {}", store.namespace_dir());
  }
  Backing backing;
  backing.hugepages = shm::is_hugetlbfs(found);
  if (backing.hugepages) {
    backing.page_bytes = static_cast<std::uint64_t>(found.f_bsize);
  } else if (config.shm.require_hugepages) {
    return make_error(
        ErrorCode::invalid_config,
        "shm.require_hugepages is true but shm.base_dir {} is not on hugetlbfs; mount one and set base_dir to it, "
        "or set require_hugepages = false",
        config.shm.base_dir);
  }
  return backing;
}

// Half-made files of a former life go always; dead epochs are the collector's.
void clean_up_after_predecessor(Books& books) {
  if (const auto removed = books.store.remove_half_made(); !removed) {
    books.log.warning("cannot remove half-made directories: {}", removed.error().message);
  } else if (*removed > 0) {
    books.log.info("removed {} half-made or empty directories of a former driver", *removed);
  }
}

void state_footprint(Books& books, const DriverDeps& deps) {
  const auto space = deps.space(books.store.namespace_dir());
  if (!space || (books.config.streams.empty() && !books.config.policies.allow_dynamic_streams)) {
    return;
  }
  const Footprint wanted = footprint(books.config);
  for (const std::string& line : describe(wanted, books.config, space->free_bytes())) {
    books.log.info("{}", line);
  }
  if (const auto line = describe_shortage(wanted, books.config, space->free_bytes(), space->limited_by())) {
    books.log.warning("{}", *line);
  }
}

}  // namespace

Result<DriverStart> DriverStart::make(DriverConfig config, DriverDeps& deps) {
  std::vector<std::string> warnings;
  if (Status status = check(config, warnings); !status) {
    return status.error();
  }
  for (const std::string& warning : warnings) {
    deps.log.warning("{}", warning);
  }
  fill_in(deps, config);
  auto name_space = open_namespace(config, deps.user, *deps.system_calls);
  if (!name_space) {
    return name_space.error();
  }
  const auto backing = inspect_backing(config, deps, name_space->store);
  if (!backing) {
    return backing.error();
  }
  if (backing->hugepages) {
    config.shm.page_size_bytes = static_cast<std::uint32_t>(backing->page_bytes);  // what every file is rounded up to
  }
  const auto again = [config, user = deps.user, calls = deps.system_calls] {
    return open_namespace(config, user, *calls);
  };
  auto books = std::make_unique<Books>(
      std::move(config), std::move(*name_space),
      BooksDeps{again, deps.realtime, deps.space, random_u64(), backing->hugepages, backing->page_bytes}, deps.log);
  auto link = MediaLink::open(deps.connect, *books);
  if (!link) {
    return make_error(link.error().code, "the driver cannot reach its media driver: {}", link.error().message);
  }
  auto control_stream = lock_control_stream(deps.aeron_dir, books->config.driver.control_stream_id);
  if (!control_stream) {
    return control_stream.error();
  }
  if (Status claimed = link->claim_control_stream(books->config.driver.control_stream_id); !claimed) {
    return claimed.error();
  }
  if (Status status = check_message_lengths(*books); !status) {
    return status.error();
  }
  clean_up_after_predecessor(*books);
  state_footprint(*books, deps);
  return DriverStart{std::move(*control_stream), std::move(books), std::move(*link)};
}

}  // namespace tensorpool::driver
