#include "apps/tp/publish_pattern.hpp"

#include <algorithm>

#include "apps/flow/crc32c.hpp"
#include "apps/flow/pacer.hpp"

namespace tensorpool::apps {
namespace {

// From the first byte to the last, a band at a time; the last may be the shortest.
void fill_in_bands(SlotClaim& claim, const PatternOptions& options, std::span<std::byte> frame) {
  const double rate_hz = options.publish.rate_hz;
  const Nanos between = rate_hz > 0 ? static_cast<Nanos>(0.5e9 / rate_hz / options.bands) : 0;
  const std::size_t band = (frame.size() / options.bands + 7) / 8 * 8;
  for (std::size_t filled = 0; filled < frame.size();) {
    const std::size_t bytes = std::min(band, frame.size() - filled);
    fill_pattern(frame.subspan(filled, bytes), claim.seq(), options.pattern, filled);
    filled += bytes;
    if (filled == frame.size()) return;
    static_cast<void>(claim.progress(filled));
    nap(between);
  }
}

void publish_one(PublishSession& session, SlotClaim claim, const PatternOptions& options, Nanos captured) {
  const auto frame = claim.payload().first(options.layout.extent_bytes());
  if (options.bands > 1) {
    fill_in_bands(claim, options, frame);
  } else {
    fill_pattern(frame, claim.seq(), options.pattern);
  }
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
    auto claim =
        claim_when_possible(s, options.layout.extent_bytes(), stop, options.bands > 1 ? &options.layout : nullptr);
    if (!claim) return claim.error();
    if (!*claim) break;
    publish_one(s, std::move(**claim), options, now);
    pacer.advance(now);
    ++sent;
  }
  return finish_publishing(s, options.publish);
}

}  // namespace tensorpool::apps
