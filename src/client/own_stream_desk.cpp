#include "client/own_stream_desk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tensorpool::detail {
namespace {

// spec: wire §5: a consumer is stale without a hello or QoS for 3 to 5 of its intervals.
constexpr int silent_periods = 5;

bool same_stream(const ConsumerRoutes::Route& a, const ConsumerRoutes::Route& b) {
  return a.kind == b.kind && a.consumer_id == b.consumer_id && a.where.stream_id == b.where.stream_id &&
         a.where.channel == b.where.channel;
}

}  // namespace

OwnStreamDesk::OwnStreamDesk(ControlPlane& plane, const ClientOptions& client, std::shared_ptr<ProducerCore> core,
                             std::function<void(std::string)> tell)
    : plane_(plane),
      core_(std::move(core)),
      tell_(std::move(tell)),
      routes_(client, silent_periods * client.announce_period_ns) {}

void OwnStreamDesk::on(const protocol::ConsumerConfig& config, Nanos now) {
  if (auto obeyed = routes_.on(config, now); !obeyed) {
    tell_now_and_then("a ConsumerConfig was not obeyed: " + obeyed.error().message, now);
  }
}

void OwnStreamDesk::close() {
  routes_.clear();
  served_version_ = routes_.version();
  if (open_.empty()) return;
  open_.clear();
  hand_over({});
}

int OwnStreamDesk::do_work(Nanos now) {
  routes_.expire(now);
  if (std::exchange(turned_away_, routes_.turned_away()) != routes_.turned_away()) {
    tell_now_and_then(
        fmt::format("{} hellos asked for streams of their own when {} consumers did so already; they stay "
                    "on the shared ones",
                    turned_away_, ConsumerRoutes::most_askers),
        now);
  }
  if (generation_ != plane_.generation()) {
    generation_ = plane_.generation();
    open_.clear();
    served_version_ = ~routes_.version();
  }
  if (served_version_ == routes_.version()) return 0;
  const auto wanted = routes_.wanted();
  if (open_next(wanted, now)) return 1;
  std::erase_if(open_, [&](const Open& open) {
    return std::none_of(wanted.begin(), wanted.end(),
                        [&](const auto& route) { return same_stream(route, open.route); });
  });
  hand_over(wanted);
  served_version_ = routes_.version();
  return 1;
}

OwnStreamDesk::Open* OwnStreamDesk::find(const ConsumerRoutes::Route& route) {
  const auto at = std::find_if(open_.begin(), open_.end(), [&](const Open& o) { return same_stream(o.route, route); });
  return at == open_.end() ? nullptr : &*at;
}

// Whether there was one to open. Who cannot be served is forgotten; its next hello and config try again.
bool OwnStreamDesk::open_next(const std::vector<ConsumerRoutes::Route>& wanted, Nanos now) {
  const auto missing =
      std::find_if(wanted.begin(), wanted.end(), [this](const auto& route) { return find(route) == nullptr; });
  if (missing == wanted.end()) return false;
  auto added = plane_.add_own_publication(missing->where);
  if (added) {
    open_.push_back({*missing, *std::move(added)});
  } else {
    tell_now_and_then(
        fmt::format("consumer {} stays on the shared {} stream: {}", missing->consumer_id,
                    missing->kind == ConsumerRoutes::Kind::control ? "control" : "descriptor", added.error().message),
        now);
    routes_.on_gone(missing->consumer_id);
  }
  return true;
}

void OwnStreamDesk::hand_over(const std::vector<ConsumerRoutes::Route>& wanted) {
  auto streams = std::make_unique<OwnStreams>();
  auto listeners = std::make_unique<ProgressListeners>();
  for (const auto& route : wanted) {
    const Open* const open = find(route);
    if (open == nullptr) continue;
    if (route.kind == ConsumerRoutes::Kind::control) {
      listeners->publications.push_back(open->publication);
    } else {
      streams->add(open->publication, interval_of_rate(route.max_rate_hz));
    }
  }
  const auto untaken = core_->own_streams.offer(std::move(streams));
  const auto unheard = core_->progress.listeners.offer(std::move(listeners));
}

// Bad messages may come in floods.
void OwnStreamDesk::tell_now_and_then(std::string message, Nanos now) {
  if (now < next_word_) return;
  next_word_ = now + nanos_per_second;
  tell_(std::move(message));
}

}  // namespace tensorpool::detail
