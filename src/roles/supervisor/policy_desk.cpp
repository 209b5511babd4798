#include "roles/supervisor/policy_desk.hpp"

#include <algorithm>
#include <utility>

namespace tensorpool::supervisor {
namespace {

constexpr int patience = 5;  // configs without effect until it is said that they have none
constexpr Nanos longest_interval_ns = 60 * nanos_per_second;
constexpr std::size_t longest_channel = 4095;
// How long the driver's answer to a consumer that asks for streams is waited for: a config without them would decline.
constexpr Nanos answer_patience_ns = 3 * nanos_per_second;

protocol::Mode wire_mode(bool rate_limited) {
  return rate_limited ? protocol::Mode::rate_limited : protocol::Mode::stream;
}

}  // namespace

PolicyDesk::PolicyDesk(Settings settings) : settings_(std::move(settings)), consumers_(settings_.max_consumers) {}

const SupervisorPolicy* PolicyDesk::policy_of(Key key) const {
  if (settings_.stream_id != 0 && settings_.stream_id != key.first) return nullptr;
  const auto found = std::find_if(settings_.policies.begin(), settings_.policies.end(), [key](const auto& policy) {
    return (policy.stream_id == 0 || policy.stream_id == key.first) &&
           (policy.consumer_id == 0 || policy.consumer_id == key.second);
  });
  return found == settings_.policies.end() ? nullptr : &*found;
}

// --- What is heard ---

void PolicyDesk::on(const protocol::ConsumerHello& hello, Nanos now) {
  const Key key{hello.stream_id, hello.consumer_id};
  const SupervisorPolicy* const policy = policy_of(key);
  if (policy == nullptr || hello.stream_id == 0 || hello.consumer_id == 0) return;
  Consumer* const consumer = consumers_.find_or_add(key, false);
  if (consumer == nullptr) {
    ++stats_.untracked;
    return;
  }
  consumer->last_seen = now;
  consumer->policy = policy;
  consumer->greeted = true;
  consumer->supports_shm = hello.supports_shm;
  if (!consumer->tells_qos) consumer->rate_limited = hello.mode == protocol::Mode::rate_limited;
  const bool asked_before = consumer->asks_own_streams;
  consumer->asks_own_streams = hello.descriptor_stream_id != 0 || hello.control_stream_id != 0 ||
                               !hello.descriptor_channel.empty() || !hello.control_channel.empty();
  if (!consumer->asks_own_streams) {
    consumer->granted = {};
    consumer->answered = false;
  } else if (!asked_before) {
    consumer->asked_at = now;
  }
}

void PolicyDesk::on(const protocol::QosConsumer& qos, Nanos now) {
  Consumer* const consumer = consumers_.find({qos.stream_id, qos.consumer_id});
  if (consumer == nullptr) return;
  consumer->last_seen = now;
  consumer->tells_qos = true;
  consumer->rate_limited = qos.mode == protocol::Mode::rate_limited;
}

void PolicyDesk::on(const protocol::ShmLeaseKeepalive& keepalive, Nanos now) {
  const Key key{keepalive.stream_id, keepalive.client_id};
  if (keepalive.role != protocol::Role::consumer || policy_of(key) == nullptr) return;
  Consumer* const consumer = consumers_.find_or_add(key, true);
  if (consumer == nullptr) return;  // its hello is counted
  consumer->last_seen = now;
  if (std::exchange(consumer->current_lease, keepalive.lease_id) == keepalive.lease_id) return;
  consumer->granted = {};  // streams go with their lease
  consumer->answered = false;
  consumer->asked_at = now;
}

void PolicyDesk::on(const protocol::ShmLeaseRevoked& revoked, Nanos) {
  const Key key{revoked.stream_id, revoked.client_id};
  if (revoked.role != protocol::Role::consumer) return;
  consumers_.erase_one(key, [&](const Consumer& consumer) { return consumer.current_lease == revoked.lease_id; });
}

void PolicyDesk::on(const protocol::ConsumerConfig& config, Nanos) {
  const Key key{config.stream_id, config.consumer_id};
  Consumer* const consumer = consumers_.find(key);
  if (consumer == nullptr || !consumer->greeted) {
    if (policy_of(key) != nullptr) ++stats_.strangers;
    return;
  }
  if (config == config_for(key, *consumer)) return;  // ours, or as good as ours
  const bool grants = config.descriptor_stream_id != 0 || config.control_stream_id != 0;
  const bool too_long =
      config.descriptor_channel.size() > longest_channel || config.control_channel.size() > longest_channel;
  if (too_long || (grants && !consumer->asks_own_streams)) {
    ++stats_.strangers;
    return;
  }
  consumer->answered = true;
  if (grants) {
    consumer->granted.descriptor_stream_id = config.descriptor_stream_id;
    consumer->granted.descriptor_channel = config.descriptor_channel;
    consumer->granted.control_stream_id = config.control_stream_id;
    consumer->granted.control_channel = config.control_channel;
  }
  const bool wants_shm = consumer->policy->use_shm && consumer->supports_shm;
  if (consumer->told && config.use_shm != wants_shm) consumer->contradicted = true;
}

void PolicyDesk::check(Nanos now) {
  consumers_.erase_if([&](const Consumer& consumer) { return now - consumer.last_seen > settings_.forget_after_ns; });
}

// --- What is said ---

bool PolicyDesk::is_due(const Consumer& consumer, Nanos now) {
  if (!consumer.greeted) return false;
  const bool waits = consumer.asks_own_streams && !consumer.answered;
  if (waits && now - consumer.asked_at < answer_patience_ns) return false;
  const SupervisorPolicy& policy = *consumer.policy;
  if (consumer.rate_limited != policy.rate_limited) return true;
  const bool says_more = policy.use_shm != consumer.supports_shm || !policy.payload_fallback_uri.empty();
  return consumer.contradicted || (says_more && !consumer.told);
}

protocol::ConsumerConfig PolicyDesk::config_for(Key key, const Consumer& consumer) {
  protocol::ConsumerConfig config = consumer.granted;
  config.stream_id = key.first;
  config.consumer_id = key.second;
  config.use_shm = consumer.policy->use_shm;
  config.mode = wire_mode(consumer.policy->rate_limited);
  config.payload_fallback_uri = consumer.policy->payload_fallback_uri;
  return config;
}

bool PolicyDesk::may_tell(Nanos now) {
  if (now - second_since_ >= nanos_per_second) {
    second_since_ = now;
    told_this_second_ = 0;
  }
  return told_this_second_ < settings_.configs_per_second;
}

// Who has a lease comes first.
int PolicyDesk::work(Nanos now, int limit, const Send& send, const Ignored& ignored) {
  const int sent = tell(true, now, limit, send, ignored);
  return sent + tell(false, now, limit - sent, send, ignored);
}

int PolicyDesk::tell(bool confirmed, Nanos now, int limit, const Send& send, const Ignored& ignored) {
  int sent = 0;
  for (auto& [key, consumer] : consumers_.all()) {
    if (sent >= limit || !may_tell(now)) break;
    if (consumer.confirmed != confirmed) continue;
    if (!is_due(consumer, now)) {
      // It follows, unless that is only until another supervisor tells it otherwise again.
      if (now >= consumer.next_at + settings_.config_interval_ns) consumer.times_told = 0;
      continue;
    }
    if (now < consumer.next_at) continue;
    if (!send(config_for(key, consumer))) {
      ++stats_.configs_unsent;
      break;
    }
    ++sent;
    told(consumer, key, now, ignored);
  }
  return sent;
}

void PolicyDesk::told(Consumer& consumer, Key key, Nanos now, const Ignored& ignored) {
  ++stats_.configs_sent;
  ++told_this_second_;
  consumer.told = true;
  consumer.contradicted = false;
  const int doublings = std::min(consumer.times_told, 6);
  consumer.next_at = now + std::min(settings_.config_interval_ns << doublings, longest_interval_ns);
  if (++consumer.times_told != patience) return;
  ++stats_.configs_ignored;
  ignored(key.first, key.second);
}

}  // namespace tensorpool::supervisor
