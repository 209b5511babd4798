#include "apps/flow/event_json.hpp"

#include <utility>

#include "base/log.hpp"

namespace tensorpool::apps {
namespace {

constexpr std::size_t most_waiting = 1000;

template <class Kind>
void add_frames(Json& json, Kind kind, const auto& event) {
  if (kind != Kind::no_frames && kind != Kind::frames_resumed) return;
  json["last_seq"] = event.last_seq ? Json(*event.last_seq) : Json();
  json["silent_ns"] = event.silent_ns;
}

template <class AnyEvent>
Json base_of(const AnyEvent& event) {
  return {{"event", to_string(event.kind)},
          {"stream", event.stream_id},
          {"client_id", event.client_id},
          {"epoch", std::to_string(event.epoch)},
          {"message", escape(event.message)}};
}

}  // namespace

Json to_json(const Event& event) {
  Json json = base_of(event);
  const bool of_producer = event.kind == EventKind::producer_gone || event.kind == EventKind::no_frames ||
                           event.kind == EventKind::frames_resumed;
  if (of_producer) json["producer_id"] = event.producer_id;
  if (event.kind == EventKind::producer_gone || event.kind == EventKind::revoked) {
    json["reason"] = to_string(event.reason);
  }
  add_frames(json, event.kind, event);
  return json;
}

Json to_json(const MonitorEvent& event) {
  Json json = base_of(event);
  json["alert"] = is_alert(event);
  if (event.kind == MonitorEventKind::producer_gone || event.kind == MonitorEventKind::consumer_gone) {
    json["reason"] = to_string(event.reason);
  }
  add_frames(json, event.kind, event);
  if (event.silent_ns != 0) json["silent_ns"] = event.silent_ns;
  return json;
}

void EventLines::add(const Event& event) {
  if (event.kind != EventKind::producer_gone && event.kind != EventKind::no_frames &&
      event.kind != EventKind::frames_resumed) {
    return;
  }
  const std::lock_guard lock(mutex_);
  if (waiting_.size() < most_waiting) waiting_.push_back(event);
}

void EventLines::print() {
  std::vector<Event> taken;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return;
    taken = std::exchange(waiting_, {});
  }
  for (const Event& event : taken) print_json(to_json(event));
}

}  // namespace tensorpool::apps
