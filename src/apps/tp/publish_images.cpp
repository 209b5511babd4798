#include "apps/tp/publish_images.hpp"

#include <algorithm>
#include <cstring>

#include "apps/flow/pacer.hpp"
#include "apps/support/logging.hpp"
#include "apps/tp/slide_show.hpp"

namespace tensorpool::apps {
namespace {

void publish_one(PublishSession& session, SlotClaim claim, const Slide& slide, Nanos captured) {
  const auto& pixels = slide.image.pixels;
  std::memcpy(claim.payload().data(), pixels.data(), pixels.size());
  const CrcRecord record{claim.epoch(), claim.seq(), slide.crc, static_cast<std::uint32_t>(pixels.size())};
  session.end.committed(std::move(claim).commit(slide.image.layout, {.timestamp_ns = captured}), record);
}

// The image behind the one that was published; nothing when `loop` is off and each was shown.
Result<std::shared_ptr<const Slide>> following(SlideShow& show, bool loop) {
  auto slide = show.next();
  return slide && !*slide && loop ? show.next() : slide;
}

}  // namespace

Status publish_images(const ImagesOptions& options, const std::atomic<bool>& stop) {
  auto show = SlideShow::open(options.directory,
                              [log = stderr_log()](const std::string& text) { log(LogLevel::warning, text); });
  if (!show) return show.error();
  auto slide = show->next();
  if (!slide) return slide.error();
  auto session = start_publishing(options.publish);
  if (!session) return session.error();
  PublishSession& s = **session;
  // --count repeats the images, whether they are to be shown once or not.
  const bool loop = options.loop || options.publish.count != 0;
  Pacer pacer(options.publish.rate_hz, monotonic_now());
  for (std::uint64_t sent = 0; *slide && (options.publish.count == 0 || sent < options.publish.count);) {
    if (stop.load(std::memory_order_relaxed)) break;
    const Nanos now = monotonic_now();
    s.end.tick(now);
    if (const Nanos wait = pacer.wait_ns(now); wait > 0) {
      nap(std::min<Nanos>(wait, nanos_per_second / 10));
      continue;
    }
    auto claim = claim_when_possible(s, (*slide)->image.pixels.size(), stop);
    if (!claim) return claim.error();
    if (!*claim) break;
    publish_one(s, std::move(**claim), **slide, now);
    pacer.advance(now);
    ++sent;
    if (options.publish.count != 0 && sent == options.publish.count) break;
    slide = following(*show, loop);  // while there is time until it is due
    if (!slide) return slide.error();
  }
  return finish_publishing(s, options.publish);
}

}  // namespace tensorpool::apps
