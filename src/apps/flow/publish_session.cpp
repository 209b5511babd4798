#include "apps/flow/publish_session.hpp"

#include <ctime>

#include "apps/flow/drain.hpp"
#include "base/error.hpp"

namespace tensorpool::apps {

namespace {

Status describe_stream(Producer& producer, const PublishOptions& options) {
  if (!options.name.empty()) {
    if (Status set = producer.set_source(options.name); !set) return set;
  }
  for (const auto& [key, value] : options.attributes) {
    if (Status set = producer.set_attribute(key, value); !set) return set;
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<PublishSession>> start_publishing(const PublishOptions& options) {
  auto log = open_crc_log_if_named(options.crc_log);
  if (!log) return log.error();
  auto client = Client::connect(options.client);
  if (!client) return client.error();
  auto producer = client->attach_producer(options.producer);
  if (!producer) return producer.error();
  if (Status described = describe_stream(*producer, options); !described) return described.error();
  return std::make_unique<PublishSession>(std::move(*client), std::move(*producer), options.json, std::move(*log),
                                          monotonic_now());
}

Result<std::optional<SlotClaim>> claim_when_possible(PublishSession& session, std::size_t bytes,
                                                     const std::atomic<bool>& stop, const TensorLayout* in_flight) {
  while (!stop.load(std::memory_order_relaxed)) {
    auto claim = in_flight == nullptr ? session.producer.claim(bytes) : session.producer.claim(bytes, *in_flight);
    if (claim) return std::optional(std::move(*claim));
    if (claim.error() == PublishStatus::too_large) return too_large_error(session.producer, bytes);
    if (claim.error() == PublishStatus::invalid_layout) {
      return make_error(ErrorCode::invalid_argument, "stream {}: the layout does not describe a frame of {} bytes",
                        session.producer.stream_id(), bytes);
    }
    session.end.tick(monotonic_now());
    nap(nanos_per_milli);
  }
  return std::optional<SlotClaim>();
}

Status finish_publishing(PublishSession& session, const PublishOptions& options) {
  Status finished = session.end.finish(monotonic_now());
  if (options.hold) wait_for_end_of_input();
  return finished;
}

Error too_large_error(const Producer& producer, std::size_t bytes) {
  return make_error(
      ErrorCode::invalid_argument,
      "stream {}: a frame of {} bytes fits no pool, the largest takes {}; publish smaller frames or give the "
      "stream's profile a pool with a larger stride_bytes",
      producer.stream_id(), bytes, producer.max_payload_bytes());
}

void nap(Nanos duration) noexcept {
  if (duration <= 0) return;
  const timespec length{duration / nanos_per_second, duration % nanos_per_second};
  ::nanosleep(&length, nullptr);
}

}  // namespace tensorpool::apps
