// What a test does to a bus, beside what it does to its messages as they are offered.
#include <utility>

#include "transport/loopback/bus.hpp"

namespace tensorpool::transport::loopback {

void Bus::release_delayed(std::int32_t stream_id) {
  const std::lock_guard guard(mutex_);
  for (const Message& message : std::exchange(faults_[stream_id].delayed, {})) append(*message.log, message.bytes);
}

void Bus::set_fate(FateOf fate_of) {
  const std::lock_guard guard(mutex_);
  fate_of_ = std::move(fate_of);
}

std::size_t Bus::held_messages() const {
  const std::lock_guard guard(mutex_);
  return held_.size();
}

void Bus::release_held(std::size_t index) {
  const std::lock_guard guard(mutex_);
  if (index >= held_.size()) return;
  const Message message = std::move(held_[index]);
  held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(index));
  append(*message.log, message.bytes);
}

void Bus::cut(const std::string& client_name) {
  const std::lock_guard guard(mutex_);
  for (const auto& known : connections_) {
    const auto core = known.lock();
    if (core == nullptr || core->options.client_name != client_name) continue;
    core->detached.store(true, std::memory_order_release);
    const auto is_its = [&](const auto& one) { return one->owner_client_id == core->client_id; };
    for (const auto& log : logs_) log->ended = log->ended || is_its(log);
    for (const auto& inbox : inboxes_) {
      if (is_its(inbox)) inbox->images.clear();
    }
    std::erase_if(logs_, is_its);
    std::erase_if(inboxes_, is_its);
    std::erase_if(counters_, is_its);
  }
}

}  // namespace tensorpool::transport::loopback
