#include "roles/driver/announcer.hpp"

#include "roles/driver/stream_messages.hpp"

namespace tensorpool::driver {

namespace {

constexpr int announces_per_call = 64;

}  // namespace

int Announcer::announce_due(Nanos now) {
  int announced = 0;
  for (auto& [id, stream] : books_.streams.all()) {
    if (stream.provisioned() && now >= stream.next_announce_at && announced < announces_per_call) {
      announce(stream, now);
      ++announced;
    }
  }
  return announced;
}

void Announcer::announce(Stream& stream, Nanos now) {
  if (!stream.provisioned()) {
    return;
  }
  const std::uint32_t producer_id = books_.leases.producer_of(stream.stream_id).value_or(0);
  const auto posted = books_.announces().post(make_announce(stream, producer_id, now), now);
  if (posted == Outbox::Posted::too_long || posted == Outbox::Posted::failed) {
    books_.log.limited(now, "announce", LogLevel::error,
                       "cannot announce stream {}: the announce channel does not take it", stream.stream_id);
  } else {
    ++books_.counts.announces;
  }
  stream.next_announce_at = now + books_.config.announce_period_ns();
}

void Announcer::announce_all(Nanos now) {
  for (auto& [id, stream] : books_.streams.all()) {
    announce(stream, now);
  }
}

}  // namespace tensorpool::driver
