#include "client/attach_session.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "base/log.hpp"
#include "client/end_reason.hpp"
#include "client/refusal.hpp"
#include "protocol/constants.hpp"

namespace tensorpool::detail {
namespace {

constexpr int silent_periods = 3;
constexpr int lease_periods = 3;
// Beyond it a question is asked anew: the driver's memory of answers is not for ever.
constexpr Nanos attempt_limit_ns = 10 * nanos_per_second;
constexpr Nanos detach_repeat_ns = 100 * nanos_per_milli;
constexpr Nanos detach_limit_ns = 500 * nanos_per_milli;
// On the way to another lease the old one is given back until it is answered, or until it has run out by itself.
constexpr Nanos parting_limit_ns = 5 * nanos_per_second;
constexpr std::size_t most_partings = 8;
constexpr Nanos shortest_interval_ns = nanos_per_milli;
// Ids drawn one after the other without a pause; then something else is wrong.
constexpr int quick_rerolls = 4;

}  // namespace

AttachSession::AttachSession(AttachSettings settings, RandomSource random)
    : settings_(settings),
      random_(std::move(random)),
      client_id_(settings_.client_id != 0 ? settings_.client_id : nonzero_u32(random_)),
      automatic_id_(settings_.client_id == 0) {}

void AttachSession::start(Nanos now) {
  if (over_ || closing_) return;
  if (!started_) deadline_ = now + std::min(settings_.attach_timeout_ns, std::numeric_limits<Nanos>::max() - now);
  started_ = true;
  backoff_.reset();
  begin_attempt(now, false);
  attempt_->next_send = now;  // also of a question that outlived its connection
}

void AttachSession::detach(Nanos now) {
  if (over_) return;
  deadline_ = closing_ ? std::min(deadline_, now + detach_limit_ns) : now + detach_limit_ns;
  closing_ = true;
  retry_at_.reset();
  end_lease(true);
  // An attempt in flight may still bring a lease; then it is given back at once.
  close_if_done();
}

AttachSession::State AttachSession::state() const noexcept {
  if (closing_) return over_ ? State::unattached : State::detaching;
  if (lease_) return State::attached;
  if (attempt_) return State::attaching;
  return retry_at_ ? State::backoff : State::unattached;
}

// --- What to send ---

std::optional<AttachSession::Message> AttachSession::due(Nanos now) {
  if (over_) return std::nullopt;
  check_time(now);
  if (over_) return std::nullopt;
  if (!closing_) std::erase_if(partings_, [now](const Parting& p) { return p.give_up_at && now >= *p.give_up_at; });
  for (const Parting& parting : partings_) {
    if (now >= parting.next_send) return parting.request;
  }
  if (closing_) return std::nullopt;
  if (attempt_ && !attempt_->quiet && now >= attempt_->next_send) return request();
  if (lease_ && now >= lease_->next_keepalive) {
    return protocol::ShmLeaseKeepalive{lease_->lease_id, settings_.stream_id, client_id_, settings_.role,
                                       static_cast<std::uint64_t>(now)};
  }
  return std::nullopt;
}

void AttachSession::sent(const Message& message, Nanos now) {
  if (const auto* const detach = std::get_if<protocol::ShmDetachRequest>(&message)) {
    const auto is_sent = [&](const Parting& p) { return p.request.correlation_id == detach->correlation_id; };
    if (const auto at = std::find_if(partings_.begin(), partings_.end(), is_sent); at != partings_.end()) {
      at->next_send = now + detach_repeat_ns;
      if (!at->give_up_at) at->give_up_at = now + parting_limit_ns;
    }
  } else if (std::holds_alternative<protocol::ShmAttachRequest>(message)) {
    if (attempt_) attempt_->next_send = now + attempt_->repeat.next(random_());
  } else if (lease_) {
    lease_->last_keepalive = now;
    lease_->next_keepalive = now + keepalive_interval(lease_->duration_ns);
  }
}

protocol::ShmAttachRequest AttachSession::request() const {
  protocol::ShmAttachRequest request;
  request.correlation_id = attempt_->correlation_id;
  request.stream_id = settings_.stream_id;
  request.client_id = client_id_;
  request.role = settings_.role;
  request.expected_layout_version = settings_.expected_layout_version;
  request.publish_mode =
      settings_.create ? protocol::PublishMode::existing_or_create : protocol::PublishMode::require_existing;
  if (settings_.require_hugepages) request.require_hugepages = protocol::HugepagesPolicy::hugepages;
  request.desired_node_id = settings_.desired_node_id;
  return request;
}

protocol::ShmDetachRequest AttachSession::detach_request(std::uint64_t lease_id) {
  return {new_correlation_id(), lease_id, settings_.stream_id, client_id_, settings_.role};
}

std::int64_t AttachSession::new_correlation_id() { return static_cast<std::int64_t>(random_() >> 1); }

// --- Time ---

void AttachSession::check_time(Nanos now) {
  if (closing_) {
    if (now >= deadline_) close();
    return;
  }
  if (started_ && !attached_once_ && !lease_ && now >= deadline_) {
    return fail(now, make_error(ErrorCode::timed_out, "{}: no attachment within {} ms{}{}", name(),
                                settings_.attach_timeout_ns / nanos_per_milli,
                                last_refusal_.empty() ? "" : "; last answer: ", last_refusal_));
  }
  if (lease_) check_lease(now);
  if (attempt_ && attached_once_ && !attempt_->quiet && now - attempt_->started >= attempt_limit_ns) {
    if (lease_) {
      attempt_->quiet = true;
    } else {
      back_off(now);
    }
  }
  if (retry_at_ && now >= *retry_at_ && !lease_) begin_attempt(now, false);
}

void AttachSession::check_lease(Nanos now) {
  if (now - last_alive_ > silent_periods * settings_.announce_period_ns && !silent_) {
    silent_ = true;
    notify(NoticeKind::driver_silent, ErrorCode::unavailable,
           fmt::format("{}: no announce for {} periods; the driver may be gone. The lease goes on for now", name(),
                       silent_periods));
    begin_attempt(now, true);
  }
  // A paused driver must not stop a camera, so the lease is honoured for one grace beyond its deadline. Each epoch has
  // its own files, which makes writing on harmless.
  const Nanos proven = std::min(lease_->last_keepalive, last_alive_);
  if (now - proven > 2 * lease_->duration_ns) {
    end_lease(true);
    lose(fmt::format("{}: the lease expired, {} ms after the driver last confirmed it", name(),
                     (now - proven) / nanos_per_milli),
         EndReason::expired, now);
  }
}

void AttachSession::begin_attempt(Nanos now, bool probe) {
  retry_at_.reset();
  if (attempt_ && !attempt_->quiet) return;
  attempt_ = Attempt{};
  attempt_->correlation_id = new_correlation_id();
  attempt_->started = now;
  attempt_->next_send = now;
  attempt_->probe = probe;
}

void AttachSession::back_off(Nanos now) {
  attempt_.reset();
  way_is_free_ = false;
  retry_at_ = now + backoff_.next(random_());
}

// --- What came ---

void AttachSession::on(const protocol::ShmAttachResponse& response, Nanos now) {
  if (over_ || !attempt_ || response.correlation_id != attempt_->correlation_id) return;
  if (response.code == protocol::ResponseCode::ok) {
    on_granted(response, now);
  } else {
    on_refused(response, now);
  }
}

void AttachSession::on_granted(const protocol::ShmAttachResponse& response, Nanos now) {
  const Nanos asked_at = attempt_->started;
  attempt_.reset();
  const Expectation expected{settings_.stream_id, settings_.expected_layout_version,
                             lease_periods * settings_.announce_period_ns};
  auto grant = grant_from(response, expected, now);
  if (closing_ || !grant) {
    if (response.lease_id && !lease_) {
      if (response.stream_id && settings_.stream_id == 0) settings_.stream_id = *response.stream_id;
      give_back(*response.lease_id);
      if (closing_) deadline_ = now + detach_limit_ns;
    }
    if (closing_) return close_if_done();
    last_refusal_ = grant.error().message;
    last_remedy_.clear();
    notify(NoticeKind::broken, ErrorCode::protocol_error, fmt::format("{}: {}", name(), last_refusal_));
    if (!lease_) back_off(now);
    return;
  }
  confirm_alive(now);
  settings_.stream_id = grant->layout.stream_id;
  const bool known = lease_ && lease_->lease_id == grant->lease_id && lease_->epoch == grant->layout.epoch;
  lease_ = Lease{grant->lease_id,
                 grant->layout.epoch,
                 grant->lease_duration_ns,
                 asked_at,
                 now,
                 now + keepalive_interval(grant->lease_duration_ns),
                 std::nullopt};
  if (known) return;
  notify(NoticeKind::granted);
  notices_.back().grant = *std::move(grant);
}

void AttachSession::on_refused(const protocol::ShmAttachResponse& response, Nanos now) {
  const bool rejected = response.code == protocol::ResponseCode::rejected;
  const bool id_taken = is_client_id_taken(response);
  attempt_.reset();
  if (closing_) return close_if_done();
  // While a lease is held the question was only whether the driver still knows it; "taken" says that it does, and any
  // other refusal takes nothing away: the lease lasts as long as it can be proven.
  const bool taken = id_taken || is_place_taken(response);
  if (lease_) {
    if (taken) confirm_alive(now);
    return;
  }
  last_refusal_ = fmt::format("{} ({})", escape(response.error_message), protocol::to_string(response.code));
  last_remedy_ = remedy_of(response.error_message, {.asked = settings_.create});
  if (id_taken && automatic_id_) {
    client_id_ = nonzero_u32(random_);
    if (++rerolls_ <= quick_rerolls) return begin_attempt(now, false);
    if (!attached_once_) tell_refusal("asking again with another id");
    return back_off(now);
  }
  if (attached_once_) {
    notify(NoticeKind::refused, ErrorCode::refused, fmt::format("{}: {}", name(), last_refusal_));
    return back_off(now);
  }
  if (rejected && response.error_message == protocol::refusal_draining) {
    tell_refusal("asking again until a driver serves");
    return back_off(now);
  }
  // It was granted once, and the lease ran out before we heard of it: a question for another time.
  const bool expired = rejected && response.error_message == protocol::refusal_unknown_lease;
  if (expired) tell_refusal("the lease ended before its grant was heard; asking for another");
  if (expired || (taken && awaits_predecessor(now))) return back_off(now);
  const bool unsupported = response.code == protocol::ResponseCode::unsupported;
  fail(now, make_error(unsupported ? ErrorCode::unsupported : ErrorCode::refused, "the driver refused {}: {}{}{}",
                       name(), last_refusal_, taken ? holder_.describe(now) : "", last_remedy_));
}

// Once for each refusal in a row of the same.
void AttachSession::tell_refusal(std::string what_follows) {
  if (std::exchange(told_refusal_, last_refusal_) == last_refusal_) return;
  notify(NoticeKind::refused, ErrorCode::refused, fmt::format("{}: {}; {}", name(), last_refusal_, what_follows));
}

bool AttachSession::awaits_predecessor(Nanos now) {
  holder_.on_refused({settings_.role, settings_.stream_id, client_id_}, now);
  if (!holder_.may_be_dead(settings_.predecessor_ns, lease_periods * settings_.announce_period_ns, now)) return false;
  tell_refusal(
      fmt::format("the holder may have been killed: asking again for {} ms, and longer while it sends no keepalive",
                  settings_.predecessor_ns / nanos_per_milli));
  return true;
}

void AttachSession::on(const protocol::ShmDetachResponse& response) {
  parted(
      std::erase_if(partings_, [&](const Parting& p) { return p.request.correlation_id == response.correlation_id; }));
}

// The driver tells the end of a lease that was given back twice, by a revoke and by a response; the first one counts.
void AttachSession::parted(std::size_t leases) {
  if (leases > 0 && retry_at_ && !way_is_free_) retry_at_ = 0;  // what may have been in the way is gone
  close_if_done();
}

// spec: wire 901:7; a revoke counts only if lease, stream, client and role are mine.
void AttachSession::on(const protocol::ShmLeaseRevoked& revoked, Nanos now) {
  if (retry_at_ && holder_.is_it(revoked.client_id, revoked.stream_id, revoked.role)) retry_at_ = now;
  const bool mine =
      revoked.client_id == client_id_ && revoked.stream_id == settings_.stream_id && revoked.role == settings_.role;
  if (!mine || over_) return;
  parted(std::erase_if(partings_, [&](const Parting& p) { return p.request.lease_id == revoked.lease_id; }));
  if (!lease_ || lease_->lease_id != revoked.lease_id) return;
  end_lease(false);
  lose(fmt::format("{}: the driver ended the lease ({}){}{}", name(), protocol::to_string(revoked.reason),
                   revoked.error_message.empty() ? "" : ": ", escape(revoked.error_message)),
       end_reason_of(revoked.reason), now);
}

void AttachSession::on(const protocol::ShmDriverShutdown& shutdown, Nanos now) {
  // An old log that is replayed to a new subscriber may hold a goodbye from before we asked.
  if (!lease_ || over_ || closing_ || shutdown.timestamp_ns < static_cast<std::uint64_t>(lease_->asked_at)) return;
  end_lease(false);
  notify(NoticeKind::shutdown, ErrorCode::unavailable,
         fmt::format("{}: the driver shut down ({}){}{}", name(), protocol::to_string(shutdown.reason),
                     shutdown.error_message.empty() ? "" : ": ", escape(shutdown.error_message)));
  back_off(now);
}

void AttachSession::on_announce(std::uint64_t epoch, Nanos now) {
  if (!lease_ || over_) return;
  confirm_alive(now);
  if (epoch > lease_->epoch) return on_overtaken(epoch, now);
  if (epoch < lease_->epoch) return;
  lease_->overtaken_since.reset();
  if (attempt_) attempt_->quiet = true;
}

// A new producer, a driver that restarted and knows nothing of us, or a forgery: the answer to a keepalive tells.
// Asking by an attach would be refused in the good case, and a refusal harms some published drivers.
void AttachSession::on_overtaken(std::uint64_t epoch, Nanos now) {
  lease_->next_keepalive = now;
  if (settings_.role != protocol::Role::producer) return;
  if (!lease_->overtaken_since) lease_->overtaken_since = now;
  // Published drivers do not answer the keepalive of a lease that they do not know; but they announce each period, and
  // so would ours announce our epoch if it still were the stream's.
  if (2 * (now - *lease_->overtaken_since) < 3 * settings_.announce_period_ns) return;
  end_lease(true);
  lose(fmt::format("{}: epoch {} is announced instead of ours, so the lease is gone", name(), epoch),
       EndReason::unknown, now);
}

void AttachSession::on_epoch_mapped(std::uint64_t epoch) noexcept {
  if (lease_) lease_->epoch = std::max(lease_->epoch, epoch);
}

void AttachSession::on_mapped(Nanos now) {
  attached_once_ = true;
  rerolls_ = 0;
  backoff_.reset();
  last_alive_ = now;
}

void AttachSession::on_mapping_failed(const Error& error, Nanos now) {
  end_lease(true);
  if (!attached_once_) {
    // The media driver was too busy, or is gone: until our own time-out.
    const bool passes = error.code == ErrorCode::timed_out || error.code == ErrorCode::unavailable;
    if (!passes) return fail(now, error);
    last_refusal_ = error.message;
    last_remedy_.clear();
  }
  back_off(now);
  way_is_free_ = true;
}

void AttachSession::on_connection_lost() {
  // A question that was not answered is asked again under its id: if it was granted meanwhile, that is our lease, which
  // would be in the way of any other question.
  if (lease_) attempt_.reset();
  retry_at_.reset();
  end_lease(true);
  if (closing_) close();
}

// --- Transitions ---

void AttachSession::end_lease(bool tell_driver) {
  if (!lease_) return;
  if (tell_driver) give_back(lease_->lease_id);
  lease_.reset();
}

void AttachSession::give_back(std::uint64_t lease_id) {
  if (partings_.size() == most_partings) partings_.erase(partings_.begin());  // long expired
  partings_.push_back({detach_request(lease_id)});
}

void AttachSession::lose(std::string why, EndReason reason, Nanos now) {
  notify(NoticeKind::lost, ErrorCode::unavailable, std::move(why));
  notices_.back().reason = reason;
  silent_ = false;
  // An answer that is under way may hold the next lease: keep waiting for it.
  if (attempt_ && attempt_->probe && !attempt_->quiet) {
    attempt_->probe = false;
    return;
  }
  back_off(now);
}

// Never so short that keepalives are all that a conductor does.
Nanos AttachSession::keepalive_interval(Nanos lease_duration_ns) const noexcept {
  return std::max(shortest_interval_ns, std::min(lease_duration_ns / lease_periods, settings_.announce_period_ns));
}

void AttachSession::confirm_alive(Nanos now) noexcept {
  last_alive_ = now;
  silent_ = false;
}

void AttachSession::fail(Nanos now, Error error) {
  retry_at_.reset();
  notices_.push_back({NoticeKind::failed, std::move(error), std::nullopt});
  // What was granted but could not be used has to be given back, and so has what is granted when nobody waits any more.
  closing_ = true;
  deadline_ = now + (attempt_ ? attempt_limit_ns : detach_limit_ns);
  end_lease(true);
  if (partings_.empty() && !attempt_) over_ = true;
}

void AttachSession::close_if_done() {
  if (closing_ && !over_ && partings_.empty() && !attempt_) close();
}

void AttachSession::close() {
  attempt_.reset();
  partings_.clear();
  over_ = true;
  notify(NoticeKind::closed, ErrorCode::closed);
}

void AttachSession::notify(NoticeKind kind, ErrorCode code, std::string text) {
  notices_.push_back({kind, {code, std::move(text)}, std::nullopt});
}

std::optional<AttachNotice> AttachSession::take_notice() {
  if (notices_.empty()) return std::nullopt;
  AttachNotice notice = std::move(notices_.front());
  notices_.pop_front();
  return notice;
}

std::optional<Nanos> AttachSession::overdue(Nanos now) const noexcept {
  if (!lease_ || now - lease_->last_keepalive <= lease_->duration_ns) return std::nullopt;
  return now - lease_->last_keepalive - lease_->duration_ns;
}

std::string AttachSession::likely_reason() const {
  return last_refusal_.empty()
             ? "Nobody answered: is a tensorpool driver running in this aeron directory, with the same control channel "
               "and stream id? One that reserves many gigabytes may need a longer time-out"
             : "The driver did answer, but never with a usable lease" +
                   (last_remedy_.empty() ? std::string(".") : last_remedy_);
}

std::string AttachSession::name() const {
  return fmt::format("{} {} of stream {}", settings_.role == protocol::Role::producer ? "producer" : "consumer",
                     client_id_, settings_.stream_id);
}

}  // namespace tensorpool::detail
