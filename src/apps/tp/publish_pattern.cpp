#include "apps/tp/publish_pattern.hpp"

#include <algorithm>

#include "apps/flow/crc32c.hpp"
#include "apps/flow/pacer.hpp"

namespace tensorpool::apps {
namespace {

void publish_one(PublishSession& session, SlotClaim claim, const PatternOptions& options, Nanos captured) {
  const auto frame = claim.payload().first(options.layout.extent_bytes());
  fill_pattern(frame, claim.seq(), options.pattern);
  const CrcRecord record{claim.epoch(), claim.seq(), session.end.wants_crc() ? crc32c(frame) : 0,
                         static_cast<std::uint32_t>(frame.size())};
  session.end.committed(std::move(claim).commit(options.layout, {.timestamp_ns = captured}), record);
}

}  // namespace

Status publish_pattern(const PatternOptions& options, const std::atomic<bool>& stop) {
  auto session = start_publishing(options.publish);
  if (!session) return session.error();
  PublishSession& s = **session;
  Pacer pacer(options.publish.rate_hz, monotonic_now());
  for (std::uint64_t sent = 0; options.publish.count == 0 || sent < options.publish.count;) {
    if (stop.load(std::memory_order_relaxed)) break;
    const Nanos now = monotonic_now();
    s.end.tick(now);
    if (const Nanos wait = pacer.wait_ns(now); wait > 0) {
      nap(std::min<Nanos>(wait, nanos_per_second / 10));
      continue;
    }
    auto claim = claim_when_possible(s, options.layout.extent_bytes(), stop);
    if (!claim) return claim.error();
    if (!*claim) break;
    publish_one(s, std::move(**claim), options, now);
    pacer.advance(now);
    ++sent;
  }
  return finish_publishing(s, options.publish);
}

}  // namespace tensorpool::apps
