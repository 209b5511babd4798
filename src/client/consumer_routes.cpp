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

std::size_t ConsumerRoutes::granted(StreamOf kind) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(askers_.begin(), askers_.end(), [=](const Asker& a) { return (a.*kind).granted.has_value(); }));
}

const ConsumerRoutes::Asker* ConsumerRoutes::holder_of(std::int32_t stream_id) noexcept {
  for (Asker& asker : askers_) {
    for (const StreamOf kind : {&Asker::descriptor, &Asker::control}) {
      Asker::Stream& stream = asker.*kind;
      if (!stream.granted || stream.granted->stream_id != stream_id) continue;
      if (stream.named == stream_id) return &asker;
      stream.granted.reset();
      ++version_;
    }
  }
  return nullptr;
}

template <class Predicate>
void ConsumerRoutes::forget(Predicate&& predicate) {
  std::erase_if(askers_, [&](const Asker& asker) {
    if (!predicate(asker)) return false;
    if (asker.has_any()) ++version_;
    return true;
  });
}

void ConsumerRoutes::on(const protocol::ConsumerHello& hello, Nanos now) {
  const bool asks_descriptor = !hello.descriptor_channel.empty();
  const bool asks_control = !hello.control_channel.empty();
  if (!asks_descriptor && !asks_control) return on_gone(hello.consumer_id);  // content with the shared streams
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
  if (std::exchange(asker->max_rate_hz, rate) != rate && asker->descriptor.granted) ++version_;
  ask(asker->descriptor, asks_descriptor, hello.descriptor_stream_id);
  ask(asker->control, asks_control, hello.control_stream_id);
}

void ConsumerRoutes::ask(Asker::Stream& stream, bool asks, std::uint32_t names) {
  stream.asked = asks;
  stream.named = static_cast<std::int32_t>(names);
  if (asks || !stream.granted) return;
  stream.granted.reset();
  ++version_;
}

Status ConsumerRoutes::on(const protocol::ConsumerConfig& config, Nanos now) {
  Asker* const asker = find(config.consumer_id);
  if (asker == nullptr) return {};
  const std::uint64_t before = version_;
  Status obeyed = grant(*asker, &Asker::descriptor, config.descriptor_channel, config.descriptor_stream_id);
  if (obeyed) obeyed = grant(*asker, &Asker::control, config.control_channel, config.control_stream_id);
  if (version_ != before) asker->last_heard = now;
  return obeyed;
}

Status ConsumerRoutes::grant(Asker& asker, StreamOf kind, std::string_view channel, std::uint32_t stream_id) {
  Asker::Stream& stream = asker.*kind;
  const bool control = kind == &Asker::control;
  const char* const name = control ? "control" : "descriptor";
  const auto id = static_cast<std::int32_t>(stream_id);
  if (!stream.asked || stream_id == 0 || (stream.granted && stream.granted->stream_id == id)) return {};
  // Both say so: we missed that its lease ended, and that another one began.
  const bool moved = stream.named == id;
  if (stream.granted && !moved) {
    return make_error(ErrorCode::protocol_error, "consumer {} has {} stream {} already, not {}", asker.consumer_id,
                      name, stream.granted->stream_id, stream_id);
  }
  const auto where = own_stream_channel(client_, control ? client_.control : client_.descriptor, channel, stream_id);
  if (!where) return where.error();
  if (const Asker* const holder = holder_of(id)) {
    return make_error(ErrorCode::protocol_error, "{} stream {} is consumer {}'s, not {}'s", name, id,
                      holder->consumer_id, asker.consumer_id);
  }
  if (!stream.granted && granted(kind) == most_routes) {
    return make_error(
        ErrorCode::refused,
        "consumer {} stays on the shared stream: {} consumers have {} streams of their own, which is the most that a "
        "producer serves",
        asker.consumer_id, most_routes, name);
  }
  stream.granted = ChannelOptions{*where, id};
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
    const auto add = [&](Kind kind, const Asker::Stream& stream) {
      if (stream.granted) routes.push_back({kind, asker.consumer_id, *stream.granted, asker.max_rate_hz});
    };
    add(Kind::descriptor, asker.descriptor);
    add(Kind::control, asker.control);
  }
  return routes;
}

}  // namespace tensorpool::detail
