#include "client/producer_watch.hpp"

#include <utility>

#include "client/end_reason.hpp"

namespace tensorpool::detail {

void ProducerWatch::on(const protocol::ShmPoolAnnounce& announce, Nanos now) noexcept {
  if (announce.epoch < epoch_) return;
  const bool ended = announce.epoch > epoch_ || (producer_ && announce.producer_id != *producer_);
  if (pending_ && !pending_->announced) {
    // One that was sent before the revoke may be read after it, where announces have another channel.
    const bool contradicts = !ended && now - pending_->since > patience_ns_ / 4;
    if (contradicts) pending_.reset();
    if (ended) pending_->announced = true;
  } else if (ended && producer_.value_or(0) != 0) {
    pending_ = Pending{{*producer_, epoch_}, now, false, true};
  }
  epoch_ = announce.epoch;
  producer_ = announce.producer_id;
}

void ProducerWatch::on(const protocol::ShmLeaseRevoked& revoked, Nanos now) noexcept {
  if (revoked.role != protocol::Role::producer) return;
  const EndReason reason = end_reason_of(revoked.reason);
  if (pending_) {
    if (pending_->revoked || pending_->end.producer_id != revoked.client_id) return;
    pending_->end.reason = reason;
    pending_->revoked = true;
    return;
  }
  if (producer_ && *producer_ != revoked.client_id) return;
  pending_ = Pending{{revoked.client_id, epoch_, reason}, now, true, false};
}

void ProducerWatch::begin(std::uint64_t epoch) noexcept {
  producer_.reset();
  epoch_ = epoch;
  pending_.reset();
}

std::optional<ProducerWatch::End> ProducerWatch::take_end(Nanos now) noexcept {
  if (!pending_) return std::nullopt;
  const bool certain = pending_->revoked && pending_->announced;
  if (!certain && now - pending_->since < patience_ns_) return std::nullopt;
  if (!pending_->announced) producer_ = 0;
  return std::exchange(pending_, std::nullopt)->end;
}

}  // namespace tensorpool::detail
