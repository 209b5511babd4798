#include "client/standalone_regions.hpp"

#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "base/user.hpp"
#include "shm/epoch_number.hpp"
#include "shm/space.hpp"

namespace tensorpool::detail {
namespace {

constexpr std::uint64_t bytes_per_step = std::uint64_t{8} << 20;  // about 5 ms of reserving and touching
constexpr Nanos look_every_ns = 20 * nanos_per_milli;
constexpr Nanos patience_for_stream_ns = nanos_per_second;
constexpr Nanos patience_for_space_ns = nanos_per_second;  // readers unmap a replaced epoch within this
constexpr std::size_t most_troubles = 8;

Status check(const StandaloneOptions& options) {
  const std::uint32_t mode = options.permissions;
  if ((mode & ~0777U) == 0 && (mode & 0600U) == 0600U && (mode & 0002U) == 0) return {};
  return make_error(
      ErrorCode::invalid_argument,
      "permissions {:o} of a standalone producer's files: the owner must read and write them, others must "
      "not write; 660 is usual",
      mode);
}

}  // namespace

StandaloneRegions::StandaloneRegions(StandaloneOptions options, std::uint32_t stream_id, Nanos freshness_ns,
                                     shm::SystemCalls& calls)
    : options_(std::move(options)), stream_id_(stream_id), freshness_ns_(freshness_ns), calls_(calls) {}

StandaloneRegions::~StandaloneRegions() {
  creator_.reset();
  while (remove_step()) {
  }
}

std::string_view StandaloneRegions::doing() const noexcept {
  switch (stage_) {
    case Stage::open:
      return "opening the namespace";
    case Stage::watch:
      return "watching whether a former producer of the stream still writes";
    case Stage::collect:
      return "removing dead epochs";
    case Stage::make:
      return "waiting for free space";
    case Stage::create:
      return "reserving memory";
    case Stage::done:
      break;
  }
  return "ready";
}

Result<bool> StandaloneRegions::step(Nanos now) {
  const auto work = [&]() -> Status {
    switch (stage_) {
      case Stage::open:
        return open(now);
      case Stage::watch:
        return watch(now);
      case Stage::collect:
        return collect(now);
      case Stage::make:
        return make(now);
      case Stage::create:
        return create(now);
      case Stage::done:
        break;
    }
    return {};
  };
  if (auto worked = work(); !worked) {
    begin_anew();
    return worked.error();
  }
  return stage_ == Stage::done;
}

void StandaloneRegions::begin_anew() noexcept {
  creator_.reset();
  layout_.reset();
  watched_activity_.reset();
  taken_since_.reset();
  look_again_at_ = 0;
  if (!lock_) {
    stage_ = Stage::open;
    return;
  }
  // Once there was an epoch of ours, the stream is ours for as long as the lock is held.
  stage_ = last_epoch_ == 0 ? Stage::watch : Stage::collect;
}

// --- Before there is an epoch ---

// A producer of this stream that is just closing gives it free in a moment.
bool StandaloneRegions::may_come_free(Nanos now) {
  if (!taken_since_) taken_since_ = now;
  look_again_at_ = now + look_every_ns;
  return now - *taken_since_ < patience_for_stream_ns;
}

Status StandaloneRegions::open(Nanos now) {
  if (now < look_again_at_) return {};
  if (Status good = check(options_); !good) return good;
  shm::StoreOptions wanted;
  wanted.base_dir = options_.base_dir;
  wanted.user = options_.user.empty() ? effective_user_name() : options_.user;
  wanted.namespace_name = options_.name_space;
  wanted.directory_mode = shm::directory_mode_for(options_.permissions);
  auto opened = shm::EpochStore::open(wanted, calls_);
  if (!opened) return opened.error();
  auto taken = FileLock::try_acquire_part(opened->lock_path(), stream_id_);
  if (!taken && taken.error().code == ErrorCode::already_exists) {
    if (may_come_free(now)) return {};
    return make_error(ErrorCode::already_exists,
                      "stream {} of the namespace {} is taken, by a driver or by another standalone producer ({}); "
                      "stop it, or choose another stream id or name_space",
                      stream_id_, opened->namespace_dir(), taken.error().message);
  }
  if (!taken) return taken.error();
  store_.emplace(*std::move(opened));
  lock_.emplace(*std::move(taken));
  if (auto removed = store_->remove_half_made(stream_id_); !removed) note_trouble(removed.error());
  taken_since_.reset();
  look_again_at_ = 0;
  stage_ = Stage::watch;
  return {};
}

Result<std::optional<Nanos>> StandaloneRegions::newest_fresh_activity(Nanos now) const {
  std::optional<Nanos> newest;
  const auto epochs = store_->epochs(stream_id_);
  if (!epochs) return epochs.error();
  for (const std::uint64_t epoch : *epochs) {
    const auto activity = store_->last_activity(stream_id_, epoch);
    // One that cannot be read may be alive.
    if (!activity && activity.error().code != ErrorCode::not_found) return activity.error();
    // A time ahead of the clock is from before a reboot, a negative one is no time.
    if (!activity || *activity < 0 || *activity > now || now - *activity >= freshness_ns_) continue;
    newest = std::max(newest.value_or(0), *activity);
  }
  return newest;
}

// We hold the lock, so no owner lives; but a producer that a driver left behind may still write. Who is alive refreshes
// the activity time each period; who was killed does not.
Status StandaloneRegions::watch(Nanos now) {
  if (now < look_again_at_) return {};
  look_again_at_ = now + look_every_ns;
  const auto newest = newest_fresh_activity(now);
  if (!newest) return newest.error();
  const std::optional<Nanos> activity = *newest;
  if (!activity) {
    if (auto listed = queue_all_epochs(); !listed) return listed;
    stage_ = Stage::collect;
    return {};
  }
  if (!watched_activity_) watched_activity_ = activity;
  if (*activity <= *watched_activity_) return {};
  return make_error(ErrorCode::already_exists,
                    "stream {} in {} has another producer: its superblocks were refreshed {} ms ago; stop it, or "
                    "choose another stream id or name_space",
                    stream_id_, store_->namespace_dir(), (now - *activity) / nanos_per_milli);
}

Status StandaloneRegions::queue_all_epochs() {
  const auto epochs = store_->epochs(stream_id_);
  if (!epochs) return epochs.error();
  to_remove_.assign(epochs->begin(), epochs->end());
  return {};
}

// Before the new epoch is made: a camera that restarts must not need twice the memory.
Status StandaloneRegions::collect(Nanos now) {
  if (to_remove_.empty() && !removal_ && last_epoch_ != 0) {
    if (auto listed = queue_all_epochs(); !listed) return listed;
  }
  if (remove_one_file()) {
    last_removal_ = now;
    if (removal_ || !to_remove_.empty()) return {};
  }
  look_again_at_ = 0;
  stage_ = Stage::make;
  return {};
}

// --- The epoch ---

shm::RegionSpec StandaloneRegions::spec(std::uint64_t epoch) const {
  shm::RegionSpec wanted;
  wanted.stream_id = stream_id_;
  wanted.epoch = epoch;
  wanted.nslots = options_.nslots;
  for (const StandalonePool& pool : options_.pools) wanted.pools.push_back({pool.pool_id, pool.stride_bytes});
  wanted.file_mode = options_.permissions;
  wanted.reserve = options_.reserve ? shm::Reserve::full : shm::Reserve::on_touch;
  wanted.prefault = options_.prefault;
  wanted.pid = static_cast<std::uint64_t>(::getpid());
  return wanted;
}

Status StandaloneRegions::make(Nanos now) {
  if (now < look_again_at_) return {};
  look_again_at_ = now + look_every_ns;
  const auto on_disk = store_->highest_epoch(stream_id_);
  if (!on_disk) return on_disk.error();
  const shm::RegionSpec wanted = spec(shm::next_epoch(last_epoch_, *on_disk, realtime_now()));
  if (options_.reserve) {
    const auto space = shm::probe_space(store_->namespace_dir(), calls_);
    if (!space) return space.error();
    Status enough = shm::check_space(fmt::format("stream {} (standalone producer)", stream_id_), store_->base_dir(),
                                     shm::bytes_to_reserve(wanted), *space);
    const bool may_come = last_removal_ && now - *last_removal_ < patience_for_space_ns;
    if (!enough) return may_come ? Status() : enough;
  }
  auto begun = shm::RegionCreator::begin(*store_, wanted);
  if (!begun) return begun.error();
  creator_.emplace(*std::move(begun));
  look_again_at_ = 0;
  stage_ = Stage::create;
  return {};
}

Status StandaloneRegions::create(Nanos now) {
  const auto progress = creator_->step(bytes_per_step, now);
  if (!progress) return progress.error();
  if (*progress == shm::RegionCreator::Progress::working) return {};
  layout_ = creator_->layout();
  last_epoch_ = layout_->epoch;
  creator_.reset();
  stage_ = Stage::done;
  return {};
}

// --- Removal ---

bool StandaloneRegions::remove_step() {
  if (!lock_) return false;
  // What was there before is not touched by one that did not get as far.
  if (last_epoch_ != 0) to_remove_.push_back(std::exchange(last_epoch_, 0));
  if (remove_one_file()) return true;
  store_->remove_stream_dir_if_empty(stream_id_);
  return false;
}

bool StandaloneRegions::remove_one_file() {
  while (!removal_) {
    if (to_remove_.empty()) return false;
    const std::uint64_t epoch = to_remove_.front();
    to_remove_.pop_front();
    auto begun = store_->remove(stream_id_, epoch);
    if (begun) {
      removal_.emplace(*std::move(begun));
    } else {
      note_trouble(begun.error());  // the next start tries again
    }
  }
  const auto done = removal_->step();
  if (!done) note_trouble(done.error());
  if (!done || *done) removal_.reset();
  return true;
}

void StandaloneRegions::note_trouble(const Error& error) {
  if (troubles_.size() < most_troubles) {
    troubles_.push_back(fmt::format("stream {}: what a former producer left stays: {}", stream_id_, error.message));
  }
}

std::optional<std::string> StandaloneRegions::take_trouble() {
  if (troubles_.empty()) return std::nullopt;
  std::string first = std::move(troubles_.front());
  troubles_.pop_front();
  return first;
}

}  // namespace tensorpool::detail
