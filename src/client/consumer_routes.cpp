#include "client/consumer_routes.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "client/stream_wishes.hpp"

namespace tensorpool::detail {

ConsumerRoutes::Asker* ConsumerRoutes::find(std::uint32_t consumer_id) noexcept {
  const auto at =
      std::find_if(askers_.begin(), askers_.end(), [&](const Asker& a) { return a.consumer_id == consumer_id; });
  return at == askers_.end() ? nullptr : &*at;
}

std::size_t ConsumerRoutes::granted() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(askers_.begin(), askers_.end(), [](const Asker& a) { return a.granted.has_value(); }));
}

template <class Predicate>
void ConsumerRoutes::forget(Predicate&& predicate) {
  std::erase_if(askers_, [&](const Asker& asker) {
    if (!predicate(asker)) return false;
    if (asker.granted) ++version_;
    return true;
  });
}

void ConsumerRoutes::on(const protocol::ConsumerHello& hello, Nanos now) {
  if (hello.descriptor_channel.empty()) return on_gone(hello.consumer_id);  // content with the shared stream
  Asker* asker = find(hello.consumer_id);
  if (asker == nullptr) {
    if (askers_.size() == most_askers) {
      ++turned_away_;
      return;
    }
    asker = &askers_.emplace_back();
    asker->consumer_id = hello.consumer_id;
  }
  asker->last_heard = now;
  const std::uint32_t rate = hello.mode == protocol::Mode::rate_limited ? hello.max_rate_hz : 0;
  if (std::exchange(asker->max_rate_hz, rate) != rate && asker->granted) ++version_;
}

Status ConsumerRoutes::on(const protocol::ConsumerConfig& config, Nanos now) {
  Asker* const asker = find(config.consumer_id);
  if (asker == nullptr || config.descriptor_stream_id == 0) return {};
  const auto id = static_cast<std::int32_t>(config.descriptor_stream_id);
  if (asker->granted && asker->granted->stream_id == id) return {};
  if (asker->granted) {
    return make_error(ErrorCode::protocol_error, "consumer {} has descriptor stream {} already, not {}",
                      config.consumer_id, asker->granted->stream_id, config.descriptor_stream_id);
  }
  const auto channel =
      own_stream_channel(client_, client_.descriptor, config.descriptor_channel, config.descriptor_stream_id);
  if (!channel) return channel.error();
  for (const Asker& other : askers_) {
    if (!other.granted || other.granted->stream_id != id) continue;
    return make_error(ErrorCode::protocol_error, "descriptor stream {} is consumer {}'s, not {}'s", id,
                      other.consumer_id, config.consumer_id);
  }
  if (granted() == most_routes) {
    return make_error(
        ErrorCode::refused,
        "consumer {} stays on the shared stream: {} consumers have descriptor streams of their own, which "
        "is the most that a producer serves",
        config.consumer_id, most_routes);
  }
  asker->granted = ChannelOptions{*channel, id};
  asker->last_heard = now;
  ++version_;
  return {};
}

void ConsumerRoutes::on_alive(std::uint32_t consumer_id, Nanos now) noexcept {
  if (Asker* const asker = find(consumer_id)) asker->last_heard = now;
}

void ConsumerRoutes::on_gone(std::uint32_t consumer_id) {
  forget([&](const Asker& asker) { return asker.consumer_id == consumer_id; });
}

void ConsumerRoutes::expire(Nanos now) {
  forget([&](const Asker& asker) { return now - asker.last_heard > patience_ns_; });
}

void ConsumerRoutes::clear() {
  forget([](const Asker&) { return true; });
}

std::vector<ConsumerRoutes::Route> ConsumerRoutes::wanted() const {
  std::vector<Route> routes;
  for (const Asker& asker : askers_) {
    if (asker.granted) routes.push_back({asker.consumer_id, *asker.granted, asker.max_rate_hz});
  }
  return routes;
}

}  // namespace tensorpool::detail
