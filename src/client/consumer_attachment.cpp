#include "client/consumer_attachment.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/error.hpp"
#include "base/log.hpp"

namespace tensorpool::detail {

Result<std::unique_ptr<shm::RegionSet>> ConsumerAttachment::map(const shm::RegionLayout& layout) const {
  return shm::RegionSet::map(layout, shm::Access::read_only, context().policy);
}

Status ConsumerAttachment::adopt(const Grant& grant, Nanos now) {
  const bool same_streams = subscription_ && subscription_generation_ == context().plane.generation();
  core_->set_ids(grant.layout.stream_id, client_id());
  // A later epoch was announced already, or nothing changed: a lease again, but nothing to map.
  const bool mapped = same_streams && grant.layout.epoch <= mapped_epoch_;
  if (!mapped) {
    auto regions = map(grant.layout);
    if (!regions) return regions.error();
    if (grant.announced) {
      if (auto alive = check_activity(**regions, now); !alive) return alive;
    }
    mapped_epoch_ = grant.layout.epoch;
    if (auto handed = hand_over(*std::move(regions)); !handed) return handed;
  }
  emit(EventKind::attached, fmt::format("consumer {} reads stream {} epoch {}, {} slots", client_id(),
                                        grant.layout.stream_id, mapped_epoch_, grant.layout.nslots));
  core_->set_attached(true);
  return {};
}

Status ConsumerAttachment::hand_over(std::unique_ptr<shm::RegionSet> regions) {
  if (!subscription_ || subscription_generation_ != context().plane.generation()) {
    auto added = context().plane.add_descriptor_subscription();
    if (!added) return added.error();
    subscription_ = *std::move(added);
    subscription_generation_ = context().plane.generation();
  }
  core_->offer(std::make_unique<ConsumerSession>(std::move(regions), subscription_));
  return {};
}

void ConsumerAttachment::on_epoch_announced(const protocol::ShmPoolAnnounce& announce, Nanos now) {
  if (announce.epoch <= mapped_epoch_) return;
  auto layout = layout_from(announce);
  if (!layout) return complain(announce.epoch, layout.error().message);
  if (!same_owner(layout->header_path)) {
    return complain(
        announce.epoch,
        fmt::format("{} is not below {}, where the regions in use lie: somebody else writes a stream of the "
                    "same id; give one of the two another",
                    escape(layout->header_path), owner_directory()));
  }
  auto regions = map(*layout);
  if (!regions) return complain(announce.epoch, regions.error().message);
  // An epoch with a producer lives, or it is a leftover. An idle one has nobody to refresh it.
  if (announce.producer_id != 0 && announce.announce_clock_domain == protocol::ClockDomain::monotonic) {
    if (auto alive = check_activity(**regions, now); !alive) return complain(announce.epoch, alive.error().message);
  }
  if (auto handed = hand_over(*std::move(regions)); !handed) return complain(announce.epoch, handed.error().message);
  mapped_epoch_ = announce.epoch;
  note_mapped(mapped_epoch_);
  emit(EventKind::remapped,
       fmt::format("consumer {} follows stream {} to epoch {}", client_id(), stream_id(), mapped_epoch_));
}

Status ConsumerAttachment::check_activity(const shm::RegionSet& regions, Nanos now) const {
  if (now - regions.activity() <= freshness_ns()) return {};
  return make_error(ErrorCode::unavailable, "its superblocks show no activity, so its producer is not alive");
}

// Once per epoch; the next announce tries again in silence.
void ConsumerAttachment::complain(std::uint64_t epoch, const std::string& why) {
  if (std::exchange(complained_epoch_, epoch) == epoch) return;
  emit(EventKind::mapping_failed,
       fmt::format("stream {} epoch {} was announced, but cannot be used: {}", stream_id(), epoch, why));
}

void ConsumerAttachment::each_period(Nanos) {
  protocol::ConsumerHello hello;
  hello.stream_id = stream_id();
  hello.consumer_id = client_id();
  hello.supports_shm = true;
  hello.mode = protocol::Mode::stream;
  static_cast<void>(context().plane.send(hello));
}

// spec: behaviour, Consumer: dropsGap = never attempted, dropsLate = attempted and rejected.
void ConsumerAttachment::report_qos() {
  const ConsumerStats stats = core_->stats();
  counters_.show(context().plane, counter_owner(), stats);
  protocol::QosConsumer qos;
  qos.stream_id = stream_id();
  qos.consumer_id = client_id();
  // The epoch that last_seq is of; a newer one may be mapped already. An application that never polled has seen
  // nothing.
  qos.epoch = stats.epoch != 0 ? stats.epoch : mapped_epoch_;
  qos.last_seq_seen = stats.last_seq;
  qos.drops_gap = stats[LossCause::gap] + stats[LossCause::skipped] + stats[LossCause::unmapped];
  qos.drops_late = stats.lost_total() - qos.drops_gap;
  qos.mode = protocol::Mode::stream;
  static_cast<void>(context().plane.send_qos(qos));
}

}  // namespace tensorpool::detail
