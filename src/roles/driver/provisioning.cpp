#include "roles/driver/provisioning.hpp"

#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "roles/driver/pool_specs.hpp"
#include "shm/epoch_number.hpp"

namespace tensorpool::driver {

namespace {

constexpr std::uint64_t bytes_per_step = std::uint64_t{8} << 20;  // about 5 ms of reserving and touching
constexpr Nanos patience_for_space_ns = nanos_per_second;         // readers unmap a replaced epoch within this
constexpr Nanos look_for_space_every_ns = 20 * nanos_per_milli;   // each look lists a directory and reads /proc

bool is_of(std::uint32_t stream_id, const auto& job) { return job.stream_id == stream_id; }

}  // namespace

void Provisioning::want_producer_epoch(std::uint32_t stream_id, std::uint64_t lease_id) {
  Job job;
  job.stream_id = stream_id;
  job.pools_reserved = true;
  job.waiting.push_back(lease_id);
  // An idle epoch that still waits for space would come over the producer's: its consumers wait for that one too.
  const auto idle =
      std::find_if(small_.begin(), small_.end(), [&](const Job& other) { return is_of(stream_id, other); });
  if (idle != small_.end()) {
    job.waiting.insert(job.waiting.end(), idle->waiting.begin(), idle->waiting.end());
    small_.erase(idle);
  }
  large_.push_back(std::move(job));
}

void Provisioning::want_idle_epoch(std::uint32_t stream_id, std::optional<std::uint64_t> lease_id) {
  for (Lane* const lane : {&small_, &large_}) {
    const auto it = std::find_if(lane->begin(), lane->end(), [&](const Job& job) { return is_of(stream_id, job); });
    if (it != lane->end()) {
      if (lease_id) {
        it->waiting.push_back(*lease_id);
      }
      return;
    }
  }
  Job job;
  job.stream_id = stream_id;
  if (lease_id) {
    job.waiting.push_back(*lease_id);
  }
  small_.push_back(std::move(job));
}

bool Provisioning::has_job(std::uint32_t stream_id) const {
  const auto is_mine = [&](const Job& job) { return is_of(stream_id, job); };
  return std::any_of(small_.begin(), small_.end(), is_mine) || std::any_of(large_.begin(), large_.end(), is_mine);
}

void Provisioning::abandon() {
  small_.clear();
  large_.clear();
}

bool Provisioning::rests(Nanos now) const noexcept {
  const auto rests = [now](const Job& job) { return job.rests(now); };
  return std::all_of(small_.begin(), small_.end(), rests) && std::all_of(large_.begin(), large_.end(), rests);
}

std::optional<ProvisioningOutcome> Provisioning::step(Nanos now) {
  oldest_next_ = !oldest_next_;
  Lane* lane = &small_;
  auto job = choose(*lane, now);
  if (job == lane->end()) {
    lane = &large_;
    job = choose(*lane, now);
  }
  if (job == lane->end()) {
    return std::nullopt;
  }
  Stream* const stream = parts_.streams.find(job->stream_id);
  if (stream == nullptr) {  // a dynamic stream that made room meanwhile: nobody had a lease, so nobody waits
    lane->erase(job);
    return std::nullopt;
  }
  const Result<Step> result = advance(*job, *stream, now);
  if (!result) {
    return fail(*lane, job, result.error());
  }
  if (*result == Step::working) {
    return std::nullopt;
  }
  adopt(*job, *stream, now);
  return finish(*lane, job, {});
}

// Among those that do not wait for memory: by turns the oldest and the one that is done soonest. The end if there is
// none.
Provisioning::Lane::iterator Provisioning::choose(Lane& lane, Nanos now) const {
  auto chosen = lane.end();
  std::uint64_t least = 0;
  for (auto job = lane.begin(); job != lane.end(); ++job) {
    if (job->rests(now)) {
      continue;
    }
    if (oldest_next_) {
      return job;
    }
    const std::uint64_t left = bytes_left(*job);
    if (chosen == lane.end() || left < least) {
      chosen = job;
      least = left;
    }
  }
  return chosen;
}

std::uint64_t Provisioning::bytes_left(const Job& job) const {
  if (job.creator) {
    return job.creator->bytes_left_to_reserve();
  }
  const Stream* const stream = parts_.streams.find(job.stream_id);
  if (stream == nullptr) {
    return 0;
  }
  const auto page_bytes = static_cast<std::uint32_t>(parts_.page_bytes);
  return job.pools_reserved ? epoch_bytes(*stream->profile, page_bytes)
                            : idle_epoch_bytes(*stream->profile, page_bytes);
}

// What epochs that are being made beside this one will still take of what seems free.
std::uint64_t Provisioning::promised_to_others(const Job& job) const {
  std::uint64_t bytes = 0;
  for (const Lane* const lane : {&small_, &large_}) {
    for (const Job& other : *lane) {
      bytes += &other != &job && other.creator ? other.creator->bytes_left_to_reserve() : 0;
    }
  }
  return bytes;
}

Result<Provisioning::Step> Provisioning::advance(Job& job, Stream& stream, Nanos now) {
  if (!job.creator) {
    if (Status status = prepare(job, stream); !status) {
      return status.error();
    }
    return make_room(job, now);
  }
  auto progress = job.creator->step(bytes_per_step, now);
  if (!progress) {
    return handle_step_error(job, progress.error());
  }
  return *progress == shm::RegionCreator::Progress::done ? Step::done : Step::working;
}

// Fixes what is to be made; the epoch's number is chosen anew for each try.
Status Provisioning::prepare(Job& job, const Stream& stream) {
  if (Status kept = parts_.keep_namespace(); !kept) {
    return kept;
  }
  const auto on_disk = parts_.store.highest_epoch(job.stream_id);
  if (!on_disk) {
    return on_disk.error();
  }
  job.spec = make_spec(job, stream, shm::next_epoch(stream.last_epoch, *on_disk, parts_.realtime()));
  return {};
}

// Begins to create once the space is there; until then collects, then waits, then gives up.
Result<Provisioning::Step> Provisioning::make_room(Job& job, Nanos now) {
  if (job.retried && parts_.collector.reclaim(now)) {
    return Step::working;
  }
  const auto space = parts_.space(parts_.store.namespace_dir());
  if (!space) {
    return space.error();
  }
  const std::uint64_t needed = shm::bytes_to_reserve(*job.spec, parts_.page_bytes);
  Status enough = shm::check_space(
      fmt::format("stream {} ({})", job.stream_id, job.pools_reserved ? "producer attach" : "idle epoch"),
      parts_.store.base_dir(), needed, space->less(promised_to_others(job)));
  if (enough) {
    auto creator = shm::RegionCreator::begin(parts_.store, *job.spec);
    if (!creator) {
      return creator.error();
    }
    job.creator.emplace(std::move(*creator));
    return Step::working;
  }
  if (parts_.collector.reclaim(now)) {
    return Step::working;
  }
  const auto freed = parts_.collector.last_removal();
  if (!job.give_up_at) {
    job.give_up_at = freed ? std::max(*freed + patience_for_space_ns, now) : now;
  }
  job.look_again_at = now + look_for_space_every_ns;
  return now < *job.give_up_at ? Result<Step>(Step::working) : Result<Step>(enough.error());
}

// The file system can be fuller than it said: collect what is dead and try once more.
Result<Provisioning::Step> Provisioning::handle_step_error(Job& job, const Error& error) {
  if (error.code != ErrorCode::no_space || job.retried) {
    return error;
  }
  job.retried = true;
  job.creator.reset();
  job.give_up_at.reset();
  return Step::working;
}

shm::RegionSpec Provisioning::make_spec(const Job& job, const Stream& stream, std::uint64_t epoch) const {
  const DriverConfig& config = parts_.config;
  shm::RegionSpec spec;
  spec.stream_id = stream.stream_id;
  spec.epoch = epoch;
  spec.nslots = stream.profile->header_nslots;
  spec.pools = pool_specs(*stream.profile);
  spec.file_mode = *parse_permissions_mode(config.shm.permissions_mode);  // check() has seen it
  spec.reserve = config.shm.reserve == "on_touch" ? shm::Reserve::on_touch : shm::Reserve::full;
  spec.pools_reserved = job.pools_reserved;
  spec.prefault = config.policies.prefault_shm;
  spec.mlock = config.policies.mlock_shm;
  spec.require_hugepages = parts_.hugepages;
  spec.pid = static_cast<std::uint64_t>(::getpid());
  return spec;
}

void Provisioning::adopt(Job& job, Stream& stream, Nanos now) {
  if (stream.provisioned()) {
    parts_.collector.superseded(stream.stream_id, stream.layout->epoch, now);
  }
  stream.layout = job.creator->layout();
  stream.locked = job.creator->take_locked();
  stream.last_epoch = stream.layout->epoch;
  stream.bytes_reserved = shm::bytes_to_reserve(*job.spec, parts_.page_bytes);
  ++epochs_made_;
}

// What does not fit a producer may yet fit the consumers that wait with it: the ring is a small part of an epoch.
ProvisioningOutcome Provisioning::fail(Lane& lane, Lane::iterator job, Status status) {
  std::vector<std::uint64_t> consumers;
  if (std::vector<std::uint64_t>& waiting = job->waiting; job->pools_reserved) {
    consumers.assign(waiting.begin() + 1, waiting.end());
    waiting.resize(1);  // the producer's
  }
  ProvisioningOutcome outcome = finish(lane, job, std::move(status));
  for (const std::uint64_t lease_id : consumers) {
    want_idle_epoch(outcome.stream_id, lease_id);
  }
  return outcome;
}

ProvisioningOutcome Provisioning::finish(Lane& lane, Lane::iterator job, Status status) {
  ProvisioningOutcome outcome;
  outcome.stream_id = job->stream_id;
  outcome.waiting = std::move(job->waiting);
  outcome.status = std::move(status);
  outcome.lock_refused = !outcome.status && job->creator && job->creator->lock_refused();
  lane.erase(job);
  return outcome;
}

}  // namespace tensorpool::driver
