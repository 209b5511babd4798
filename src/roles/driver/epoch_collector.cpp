#include "roles/driver/epoch_collector.hpp"

#include <algorithm>

namespace tensorpool::driver {

namespace {

constexpr std::size_t bytes_per_release = std::size_t{16} << 20;  // some milliseconds

}  // namespace

void EpochCollector::superseded(std::uint32_t stream_id, std::uint64_t epoch, Nanos now) {
  if (config_.policies.epoch_gc_enabled) {
    superseded_.emplace(EpochId{stream_id, epoch}, now);
  }
}

void EpochCollector::release(shm::LockedRegions locked) {
  if (!locked.empty()) {
    to_release_.push_back(std::move(locked));
  }
}

bool EpochCollector::release_one_piece() {
  if (to_release_.empty()) {
    return false;
  }
  to_release_.front().release_some(bytes_per_release);
  if (to_release_.front().empty()) {
    to_release_.pop_front();
  }
  return true;
}

int EpochCollector::step(Nanos now) {
  if (remove_one_file(now)) {
    return 1;
  }
  if (!config_.policies.epoch_gc_enabled) {
    return 0;
  }
  if (!next_round_at_) {
    begin(now);
  }
  if (to_look_at_.empty()) {
    if (now < *next_round_at_) {
      return 0;
    }
    next_round_at_ = now + config_.announce_period_ns();
    if (auto streams = store_.streams()) {
      to_look_at_.assign(streams->begin(), streams->end());
    }
    return 0;
  }
  const std::uint32_t stream_id = to_look_at_.front();
  to_look_at_.pop_front();
  queue_dead(stream_id, now);
  return 1;
}

// What a former life left is looked at now or, by default, when its producers have had time to notice.
void EpochCollector::begin(Nanos now) {
  next_round_at_ = now + config_.epoch_gc_min_age_ns();
  if (config_.policies.epoch_gc_on_startup) {
    queue_for_space(now);
  }
}

bool EpochCollector::reclaim(Nanos now) {
  if (release_one_piece()) {
    return true;
  }
  if (!config_.policies.epoch_gc_enabled) {
    return false;
  }
  if (!removal_ && to_remove_.empty()) {
    queue_for_space(now);
  }
  return remove_one_file(now);
}

bool EpochCollector::remove_everything() {
  if (!removal_ && to_remove_.empty()) {
    if (auto streams = store_.streams()) {
      for (const std::uint32_t stream_id : *streams) {
        for (const std::uint64_t epoch : epochs_of(stream_id, 0)) {
          queue_removal({stream_id, epoch});
        }
      }
    }
  }
  return remove_one_file(0);
}

std::vector<std::uint64_t> EpochCollector::epochs_of(std::uint32_t stream_id, Nanos now) {
  auto epochs = store_.epochs(stream_id);
  if (!epochs) {
    log_.limited(now, "epochs", LogLevel::warning, "cannot list the epochs of stream {}: {}", stream_id,
                 epochs.error().message);
    return {};
  }
  return *epochs;
}

bool EpochCollector::is_current(EpochId id) const {
  const Stream* const stream = streams_.find(id.first);
  return stream != nullptr && stream->provisioned() && stream->layout->epoch == id.second;
}

// An epoch of this life is as old as its replacement; one of a former life as its last activity, which is what somebody
// wrote: a time ahead of the clock is from before a reboot, a negative one is no time. Neither is a sign of life. One
// that this process cannot read may be alive.
bool EpochCollector::is_old(EpochId id, Nanos min_age, Nanos now) const {
  if (const auto known = superseded_.find(id); known != superseded_.end()) {
    return now - known->second >= min_age;
  }
  const auto activity = store_.last_activity(id.first, id.second);
  if (!activity) return activity.error().code == ErrorCode::not_found;
  return *activity < 0 || *activity > now || now - *activity >= min_age;
}

void EpochCollector::queue_dead(std::uint32_t stream_id, Nanos now) {
  std::vector<std::uint64_t> epochs = epochs_of(stream_id, now);
  std::sort(epochs.rbegin(), epochs.rend());
  const std::size_t keep = streams_.find(stream_id) == nullptr ? 0 : config_.policies.epoch_gc_keep;
  for (std::size_t rank = keep; rank < epochs.size(); ++rank) {
    const EpochId id{stream_id, epochs[rank]};
    if (!is_current(id) && is_old(id, config_.epoch_gc_min_age_ns(), now)) {
      queue_removal(id);
    }
  }
  if (epochs.empty()) {
    store_.remove_stream_dir_if_empty(stream_id);
  }
}

void EpochCollector::queue_for_space(Nanos now) {
  const auto streams = store_.streams();
  if (!streams) {
    return;
  }
  for (const std::uint32_t stream_id : *streams) {
    for (const std::uint64_t epoch : epochs_of(stream_id, now)) {
      const EpochId id{stream_id, epoch};
      const bool replaced_by_us = superseded_.contains(id);
      if (!is_current(id) && (replaced_by_us || is_old(id, config_.epoch_gc_min_age_ns(), now))) {
        queue_removal(id);
      }
    }
  }
}

void EpochCollector::queue_removal(EpochId id) {
  if (!unremovable_.contains(id) && std::find(to_remove_.begin(), to_remove_.end(), id) == to_remove_.end()) {
    to_remove_.push_back(id);
  }
}

bool EpochCollector::remove_one_file(Nanos now) {
  if (release_one_piece()) {
    return true;
  }
  while (!removal_) {
    if (to_remove_.empty()) {
      return false;
    }
    const EpochId id = to_remove_.front();
    to_remove_.pop_front();
    superseded_.erase(id);
    auto begun = store_.remove(id.first, id.second);
    if (begun) {
      removal_.emplace(std::move(*begun));
      removing_ = id;
    } else {
      unremovable_.insert(id);  // gone already, or it cannot be: the next start tries again
    }
  }
  const auto done = removal_->step();
  if (!done) {
    log_.limited(now, "collect", LogLevel::warning, "cannot remove a dead epoch: {}", done.error().message);
    unremovable_.insert(removing_);
  }
  if (!done || *done) {
    removal_.reset();
    collected_ += done ? 1 : 0;
    last_removal_ = now;
    store_.remove_stream_dir_if_empty(removing_.first);
  }
  return true;
}

}  // namespace tensorpool::driver
