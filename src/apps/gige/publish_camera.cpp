#include "apps/gige/publish_camera.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "apps/flow/crc32c.hpp"
#include "apps/support/print.hpp"
#include "tensorpool/inflight_queue.hpp"

namespace tensorpool::apps {
namespace {

constexpr Nanos pop_wait_ns = 50 * nanos_per_milli;
constexpr Nanos reopen_wait_ns = nanos_per_second / 2;

// The claims whose memory the camera holds, by the tag of their buffer. Cameras complete buffers in any order.
class CameraPublisher {
 public:
  CameraPublisher(const CameraPublishOptions& options, PublishSession& session, GigeCamera& camera)
      : options_(options), session_(session), camera_(camera), in_flight_(options.in_flight) {}

  ~CameraPublisher() { camera_.close_stream(); }  // before the claims go

  Status run(const std::atomic<bool>& stop) {
    if (auto started = start(); !started) return started;
    while (!stop.load(std::memory_order_relaxed) && (options_.publish.count == 0 || sent_ < options_.publish.count)) {
      if (!running_ || is_remapped() || !camera_.in_control() || std::exchange(resized_, false)) restart();
      if (const auto buffer = running_ ? camera_.pop(pop_wait_ns) : nullptr) complete(buffer.get());
      if (running_) {
        if (auto queued = top_up(); !queued) return queued;
      } else {
        nap(reopen_wait_ns);
      }
      count_camera_drops();
      session_.end.tick(monotonic_now());
    }
    camera_.close_stream();
    count_camera_drops();
    in_flight_.clear();
    return {};
  }

 private:
  Status start() {
    if (auto opened = camera_.open_stream(); !opened) return opened;
    if (auto queued = top_up(); !queued) return queued;
    auto started = camera_.start();
    running_ = started.has_value();
    return started;
  }

  // A new epoch is other memory: what the camera still fills belongs to nobody any more.
  [[nodiscard]] bool is_remapped() {
    const std::uint64_t epoch = session_.producer.stats().epoch;
    const auto oldest = in_flight_.oldest();
    return epoch != 0 && oldest && in_flight_.find(*oldest)->epoch() != epoch;
  }

  // A camera that is gone is looked for again and again: it may come back.
  void restart() {
    camera_.close_stream();
    in_flight_.clear();
    running_ = false;
    auto started = camera_.in_control() ? camera_.refresh() : camera_.reopen();
    if (started) started = start();
    if (started) {
      ++restarts_;
      said_why_ = false;
    } else if (!std::exchange(said_why_, true)) {
      print_error(fmt::format("tp: {}; trying again until it answers", started.error().message));
    }
  }

  // Claims anew for every buffer that came back. None now (driver gone, claims exhausted) is tried again at the next
  // turn.
  Status top_up() {
    const std::size_t wanted = std::min(options_.in_flight, session_.producer.max_claims());
    while (in_flight_.size() < wanted) {
      auto claim = session_.producer.claim(camera_.payload_bytes());
      if (!claim && claim.error() == PublishStatus::too_large) {
        return too_large_error(session_.producer, camera_.payload_bytes());
      }
      if (!claim) return {};
      const std::uint64_t tag = next_tag_++;
      const auto memory = claim->payload().first(camera_.payload_bytes());
      if (in_flight_.push(tag, std::move(*claim))) camera_.queue(memory, tag);
    }
    return {};
  }

  void complete(ArvBuffer* buffer) {
    auto claim = in_flight_.take(tag_of(buffer));
    if (!claim) return;
    if (!is_whole(buffer)) {
      ++incomplete_;
      resized_ = resized_ || is_too_small(buffer);
      return;  // the claim goes, and its sequence is a gap that the producer left on purpose
    }
    const CameraImage image = image_in(buffer);
    // What is claimed for an image was asked for before the camera was changed.
    if (image.cut && image.format != told_format_) resized_ = true;
    tell_format(image.format);
    const auto content = claim->payload().first(image.bytes);
    if (memory_of(buffer) != content.data()) ++elsewhere_;
    const CrcRecord record{claim->epoch(), claim->seq(), session_.end.wants_crc() ? crc32c(content) : 0,
                           static_cast<std::uint32_t>(content.size())};
    session_.end.committed(std::move(*claim).commit(image.layout, image.bytes, {.timestamp_ns = arrival_of(buffer)}),
                           record);
    ++sent_;
  }

  // Before the first frame of another format, so that each frame carries the version that describes it.
  void tell_format(const std::optional<ImageFormat>& format) {
    if (format == told_format_) return;
    told_format_ = format;
    std::vector<Attribute> attributes;
    for (const auto& [key, value] : options_.publish.attributes) add_attribute(attributes, key, value);
    if (format) {
      add_attribute(attributes, "pixel_format", camera_.name_of(format->code));
      add_attribute(attributes, "width", std::to_string(format->width));
      add_attribute(attributes, "height", std::to_string(format->height));
      add_attribute(attributes, "x_offset", std::to_string(format->x_offset));
      add_attribute(attributes, "y_offset", std::to_string(format->y_offset));
    }
    const Status told = session_.producer.replace_attributes(std::move(attributes));
    if (!told) options_.log(LogLevel::warning, "the pixel format is not told: " + told.error().message);
  }

  // The camera knows better than the command line.
  static void add_attribute(std::vector<Attribute>& attributes, const std::string& key, std::string_view text) {
    std::erase_if(attributes, [&](const Attribute& one) { return one.key == key; });
    const auto bytes = std::as_bytes(std::span(text));
    attributes.push_back({.key = key, .format = "text/plain", .value = {bytes.begin(), bytes.end()}});
  }

  void count_camera_drops() {
    session_.end.extra()["camera_incomplete"] = incomplete_;
    session_.end.extra()["camera_not_in_place"] = elsewhere_;
    session_.end.extra()["camera_no_buffer"] = camera_.counts().no_buffer;
    session_.end.extra()["camera_restarts"] = restarts_;
  }

  const CameraPublishOptions& options_;
  PublishSession& session_;
  GigeCamera& camera_;
  InflightQueue in_flight_;
  std::uint64_t next_tag_ = 1;
  std::uint64_t sent_ = 0;
  std::uint64_t incomplete_ = 0;
  std::uint64_t elsewhere_ = 0;  // images that did not lie in their slots; none ever should
  std::uint64_t restarts_ = 0;
  std::optional<ImageFormat> told_format_;
  bool resized_ = false;   // images no longer fit what is claimed for them
  bool running_ = false;   // images flow
  bool said_why_ = false;  // of the failure that lasts
};

}  // namespace

Status publish_camera(const CameraPublishOptions& options, const std::atomic<bool>& stop) {
  auto camera = GigeCamera::open(options.camera);
  if (!camera) return camera.error();
  auto session = start_publishing(options.publish);
  if (!session) return session.error();
  (*session)->end.expect_frames("camera " + options.camera.address, options.no_frames_timeout_ns, options.log);
  const Status ran = CameraPublisher(options, **session, *camera).run(stop);
  const Status finished = finish_publishing(**session, options.publish);
  return ran ? finished : ran;
}

}  // namespace tensorpool::apps
