#include "roles/driver/stream_table.hpp"

namespace tensorpool::driver {

StreamTable::StreamTable(const DriverConfig& config) : config_(&config) {
  for (const StaticStream& configured : config.streams) {
    Stream& stream = streams_[configured.stream_id];
    stream.stream_id = configured.stream_id;
    stream.name = configured.name;
    stream.profile = config.find_profile(configured.profile);
  }
  if (config.driver.stream_id_range) {
    next_dynamic_id_ = config.driver.stream_id_range->first;
  }
}

Stream* StreamTable::find(std::uint32_t stream_id) {
  const auto it = streams_.find(stream_id);
  return it == streams_.end() ? nullptr : &it->second;
}

const Stream* StreamTable::find(std::uint32_t stream_id) const {
  const auto it = streams_.find(stream_id);
  return it == streams_.end() ? nullptr : &it->second;
}

// spec: driver §11
Expected<std::uint32_t, DynamicRefusal> StreamTable::choose_dynamic_id(std::uint32_t requested) {
  if (!config_->policies.allow_dynamic_streams) {
    return DynamicRefusal::not_allowed;
  }
  if (!config_->driver.stream_id_range) {
    return DynamicRefusal::no_range;
  }
  const StreamIdRange& range = *config_->driver.stream_id_range;
  if (requested != 0 && !range.contains(requested)) {
    return DynamicRefusal::outside_range;
  }
  if (dynamic_count_ >= range.size() || dynamic_count_ >= config_->limits.dynamic_streams) {
    return DynamicRefusal::range_exhausted;
  }
  if (requested != 0) {
    return requested;
  }
  while (streams_.contains(next_dynamic_id_)) {  // ends: fewer streams than ids
    next_dynamic_id_ = next_dynamic_id_ == range.last ? range.first : next_dynamic_id_ + 1;
  }
  return next_dynamic_id_;
}

Stream& StreamTable::add_dynamic(std::uint32_t stream_id, Nanos now) {
  Stream& stream = streams_[stream_id];
  stream.stream_id = stream_id;
  stream.profile = &profile_for(stream_id);
  stream.dynamic = true;
  stream.unused_since = now;
  ++dynamic_count_;
  // The next allocation moves on, so that an id just given back rests for as long as the range allows.
  const StreamIdRange& range = *config_->driver.stream_id_range;
  next_dynamic_id_ = stream_id == range.last ? range.first : stream_id + 1;
  return stream;
}

void StreamTable::remove(std::uint32_t stream_id) {
  const auto it = streams_.find(stream_id);
  if (it == streams_.end()) {
    return;
  }
  dynamic_count_ -= it->second.dynamic ? 1 : 0;
  streams_.erase(it);
}

const Profile& StreamTable::profile_for(std::uint32_t stream_id) const {
  for (const ProfileRule& rule : config_->policies.profile_rules) {
    if (rule.stream_id_range.contains(stream_id)) {
      return *config_->find_profile(rule.profile);
    }
  }
  return *config_->default_profile();
}

}  // namespace tensorpool::driver
