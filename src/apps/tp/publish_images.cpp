#include "apps/tp/publish_images.hpp"

#include <algorithm>
#include <cstring>

#include "apps/flow/crc32c.hpp"
#include "apps/flow/pacer.hpp"
#include "apps/imaging/image.hpp"

namespace tensorpool::apps {
namespace {

// An image and its CRC from before it touched shared memory.
struct Slide {
  Image image;
  std::uint32_t crc = 0;
};

Result<std::vector<Slide>> load_slides(const std::string& directory) {
  const auto paths = list_images(directory);
  if (!paths) return paths.error();
  std::vector<Slide> slides;
  for (const std::string& path : *paths) {
    auto image = load_image(path);
    if (!image) return image.error();
    const std::uint32_t crc = crc32c(image->pixels);
    slides.push_back({std::move(*image), crc});
  }
  return slides;
}

void publish_one(PublishSession& session, SlotClaim claim, const Slide& slide, Nanos captured) {
  const auto& pixels = slide.image.pixels;
  std::memcpy(claim.payload().data(), pixels.data(), pixels.size());
  const CrcRecord record{claim.epoch(), claim.seq(), slide.crc, static_cast<std::uint32_t>(pixels.size())};
  session.end.committed(std::move(claim).commit(slide.image.layout, {.timestamp_ns = captured}), record);
}

}  // namespace

Status publish_images(const ImagesOptions& options, const std::atomic<bool>& stop) {
  const auto slides = load_slides(options.directory);
  if (!slides) return slides.error();
  auto session = start_publishing(options.publish);
  if (!session) return session.error();
  PublishSession& s = **session;
  const std::uint64_t once = options.loop ? 0 : slides->size();
  const std::uint64_t count = options.publish.count == 0 ? once : options.publish.count;
  Pacer pacer(options.publish.rate_hz, monotonic_now());
  for (std::uint64_t sent = 0; count == 0 || sent < count;) {
    if (stop.load(std::memory_order_relaxed)) break;
    const Nanos now = monotonic_now();
    s.end.tick(now);
    if (const Nanos wait = pacer.wait_ns(now); wait > 0) {
      nap(std::min<Nanos>(wait, nanos_per_second / 10));
      continue;
    }
    const Slide& slide = (*slides)[sent % slides->size()];
    auto claim = claim_when_possible(s, slide.image.pixels.size(), stop);
    if (!claim) return claim.error();
    if (!*claim) break;
    publish_one(s, std::move(**claim), slide, now);
    pacer.advance(now);
    ++sent;
  }
  return finish_publishing(s, options.publish);
}

}  // namespace tensorpool::apps
