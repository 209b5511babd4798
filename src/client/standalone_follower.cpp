#include "client/standalone_follower.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.hpp"

namespace tensorpool::detail {
namespace {

constexpr int silent_periods = 3;

}  // namespace

StandaloneFollower::StandaloneFollower(const AttachSettings& settings, const RandomSource& random)
    : settings_(settings), client_id_(settings.client_id != 0 ? settings.client_id : nonzero_u32(random)) {}

void StandaloneFollower::start(Nanos now) {
  if (over_) return;
  if (!started_) deadline_ = now + std::min(settings_.attach_timeout_ns, std::numeric_limits<Nanos>::max() - now);
  started_ = true;
  state_ = State::attaching;
}

void StandaloneFollower::detach(Nanos) {
  if (std::exchange(over_, true)) return;
  state_ = State::unattached;
  notify(NoticeKind::closed, ErrorCode::closed, {});
}

// Only time passes here; a follower has nothing to say.
std::optional<Tenancy::Message> StandaloneFollower::due(Nanos now) {
  if (over_) return std::nullopt;
  if (state_ == State::attached && now - last_alive_ > silent_periods * settings_.announce_period_ns) {
    lose(fmt::format("no announce for {} periods", silent_periods), EndReason::expired);
  }
  if (started_ && !attached_once_ && state_ != State::attached && now >= deadline_) {
    notify(NoticeKind::failed, ErrorCode::timed_out,
           fmt::format("standalone consumer {} of stream {}: no attachment within {} ms{}{}", client_id_,
                       settings_.stream_id, settings_.attach_timeout_ns / nanos_per_milli, trouble_.empty() ? "" : "; ",
                       trouble_));
    over_ = true;
    state_ = State::unattached;
  }
  return std::nullopt;
}

void StandaloneFollower::on(const protocol::ShmPoolAnnounce& announce, Nanos now) {
  if (over_) return;
  // spec: behaviour, Mapping: a lower epoch is ignored and changes nothing.
  if (announce.epoch < epoch_) return;
  if (announce.producer_id == 0) {
    if (state_ == State::attached && announce.epoch == epoch_) lose("it said goodbye", EndReason::detached);
    return;
  }
  if (state_ == State::attaching) return follow(announce, now);
  if (state_ != State::attached) return;
  if (announce.epoch == epoch_) {
    last_alive_ = now;
  } else {
    last_higher_ = now;
    higher_producer_id_ = announce.producer_id;
  }
}

void StandaloneFollower::follow(const protocol::ShmPoolAnnounce& announce, Nanos now) {
  if (announce.epoch == bad_epoch_ && now < bad_until_) return;
  auto layout = layout_from(announce);
  if (!layout) {
    trouble_ = layout.error().message;
    bad_epoch_ = announce.epoch;
    bad_until_ = now + silent_periods * settings_.announce_period_ns;
    return notify(NoticeKind::trouble, ErrorCode::protocol_error, trouble_);
  }
  epoch_ = announce.epoch;
  producer_id_ = announce.producer_id;
  last_alive_ = now;
  state_ = State::attached;
  notify(NoticeKind::granted, {}, {});
  notices_.back().grant = Grant{0, 0, std::nullopt, *std::move(layout), true};
}

void StandaloneFollower::on_epoch_mapped(std::uint64_t epoch) noexcept {
  if (epoch > epoch_) producer_id_ = higher_producer_id_;
  epoch_ = mapped_epoch_ = std::max(epoch_, epoch);
  last_alive_ = std::max(last_alive_, last_higher_);
}

void StandaloneFollower::on_mapped(Nanos now) {
  attached_once_ = true;
  mapped_epoch_ = epoch_;
  last_alive_ = now;
  trouble_.clear();
}

// Somebody may announce what cannot be used; whoever is right comes later.
void StandaloneFollower::on_mapping_failed(const Error& error, Nanos now) {
  trouble_ = error.message;
  bad_epoch_ = std::exchange(epoch_, mapped_epoch_);
  bad_until_ = now + silent_periods * settings_.announce_period_ns;
  state_ = State::attaching;
}

void StandaloneFollower::on_connection_lost() {
  if (!over_) state_ = State::unattached;
}

void StandaloneFollower::lose(std::string why, EndReason reason) {
  state_ = State::attaching;
  notify(NoticeKind::producer_gone, ErrorCode::unavailable,
         fmt::format("consumer {}: the producer of stream {} epoch {} is gone: {}. What it left can still be read; "
                     "waiting for the next one",
                     client_id_, settings_.stream_id, epoch_, why));
  notices_.back().reason = reason;
  notices_.back().producer_id = producer_id_;
}

std::string StandaloneFollower::likely_reason() const {
  return trouble_.empty() ? "Nobody announced the stream: is a standalone producer running in this aeron directory, "
                            "with the same announce channel and stream id?"
                          : "It was announced, but not so that it could be used.";
}

void StandaloneFollower::notify(NoticeKind kind, ErrorCode code, std::string text) {
  notices_.push_back({kind, {code, std::move(text)}, std::nullopt});
}

std::optional<AttachNotice> StandaloneFollower::take_notice() {
  if (notices_.empty()) return std::nullopt;
  AttachNotice notice = std::move(notices_.front());
  notices_.pop_front();
  return notice;
}

}  // namespace tensorpool::detail
