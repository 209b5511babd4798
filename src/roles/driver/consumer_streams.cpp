#include "roles/driver/consumer_streams.hpp"

namespace tensorpool::driver {

namespace {

constexpr std::uint32_t answers_per_period = 4;  // a consumer says hello once or twice

}  // namespace

ConsumerStreams::ConsumerStreams(const DriverConfig& config) : config_(&config) {
  descriptor_ids_.range = config.driver.descriptor_stream_id_range;
  descriptor_ids_.next = descriptor_ids_.range ? descriptor_ids_.range->first : 0;
  control_ids_.range = config.driver.control_stream_id_range;
  control_ids_.next = control_ids_.range ? control_ids_.range->first : 0;
}

std::optional<protocol::ConsumerConfig> ConsumerStreams::on(const protocol::ConsumerHello& hello, const Lease& holder) {
  const bool asks_descriptor = !hello.descriptor_channel.empty() || hello.descriptor_stream_id != 0;
  const bool asks_control = !hello.control_channel.empty() || hello.control_stream_id != 0;
  if (!asks_descriptor && !asks_control) {
    return std::nullopt;
  }
  Grant& grant = grants_[holder.key.lease_id];
  // An id without a channel is no valid request (wire §10.1.3); a channel without an id leaves the choice to us.
  if (grant.descriptor_id == 0 && !hello.descriptor_channel.empty()) {
    grant.descriptor_id = descriptor_ids_.take(hello.descriptor_stream_id);
  }
  if (grant.control_id == 0 && !hello.control_channel.empty()) {
    grant.control_id = control_ids_.take(hello.control_stream_id);
  }
  protocol::ConsumerConfig answer;
  answer.stream_id = hello.stream_id;
  answer.consumer_id = hello.consumer_id;
  answer.use_shm = hello.supports_shm;
  answer.mode = hello.mode;
  if (asks_descriptor && grant.descriptor_id != 0) {
    answer.descriptor_stream_id = grant.descriptor_id;
    answer.descriptor_channel = config_->driver.descriptor_channel;  // ours: a foreign URI is never passed on
  }
  if (asks_control && grant.control_id != 0) {
    answer.control_stream_id = grant.control_id;
    answer.control_channel = config_->driver.control_channel;
  }
  return answer;
}

bool ConsumerStreams::may_answer(std::uint64_t lease_id, Nanos now) {
  Grant& grant = grants_[lease_id];
  if (grant.answers == 0 || now - grant.counted_since >= config_->announce_period_ns()) {
    grant.counted_since = now;
    grant.answers = 0;
  }
  ++grant.answers;
  return grant.answers <= answers_per_period;
}

void ConsumerStreams::lease_ended(std::uint64_t lease_id) {
  const auto it = grants_.find(lease_id);
  if (it == grants_.end()) {
    return;
  }
  descriptor_ids_.used.erase(it->second.descriptor_id);
  control_ids_.used.erase(it->second.control_id);
  grants_.erase(it);
}

std::uint32_t ConsumerStreams::IdPool::take(std::uint32_t wish) {
  if (!range || used.size() >= range->size()) {
    return 0;
  }
  if (wish != 0 && range->contains(wish) && used.insert(wish).second) {
    return wish;
  }
  while (!used.insert(next).second) {  // ends: fewer used than there are
    next = next == range->last ? range->first : next + 1;
  }
  const std::uint32_t taken = next;
  next = next == range->last ? range->first : next + 1;
  return taken;
}

}  // namespace tensorpool::driver
