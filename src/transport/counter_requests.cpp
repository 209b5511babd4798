#include "transport/counter_requests.hpp"

#include <utility>

namespace tensorpool::transport {

std::shared_ptr<Counter> CounterRequests::want(std::int32_t type_id, std::string label) {
  // Here too, so that requests that are taken back do not pile up while the media driver does not answer.
  std::erase_if(wanted_, [](const Wanted& wanted) { return wanted.place.expired(); });
  auto place = std::make_shared<Counter>();
  wanted_.push_back({type_id, std::move(label), place});
  return place;
}

int CounterRequests::step(Connection& connection) {
  if (pending_) {
    auto answer = pending_->poll();
    if (answer && !*answer) return 0;
    pending_.reset();
    const auto place = pending_place_.lock();
    if (answer && place) *place = std::move(**answer);
    return 1;
  }
  if (wanted_.empty()) return 0;
  const Wanted next = std::move(wanted_.front());
  wanted_.pop_front();
  if (next.place.expired()) return 1;
  auto asked = connection.begin_counter(next.type_id, {}, next.label);
  if (asked) {
    pending_.emplace(std::move(*asked));
    pending_place_ = next.place;
  }
  return 1;
}

void CounterRequests::clear() {
  pending_.reset();
  wanted_.clear();
}

}  // namespace tensorpool::transport
