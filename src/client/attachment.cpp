#include "client/attachment.hpp"

#include <chrono>
#include <utility>

#include "base/error.hpp"

namespace tensorpool::detail {

void AttachTicket::settle(Status outcome) {
  const std::lock_guard lock(mutex_);
  if (!outcome_) outcome_ = std::move(outcome);
  changed_.notify_all();
}

bool AttachTicket::settled() {
  const std::lock_guard lock(mutex_);
  return outcome_.has_value();
}

bool AttachTicket::wait_for(Nanos timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::nanoseconds(timeout), [this] { return outcome_.has_value(); });
}

Status AttachTicket::outcome() {
  const std::lock_guard lock(mutex_);
  return *outcome_;
}

Attachment::Attachment(ClientContext context, AttachSettings settings, RandomSource random)
    : context_(context), session_(settings, std::move(random)) {}

int Attachment::do_work(Nanos now) {
  if (handle_closed() && session_.state() != AttachSession::State::detaching && !session_.over()) {
    if (session_.state() == AttachSession::State::attached) report_qos();  // the last figures
    detach(now);
  }
  int work = send_due(now);
  while (auto notice = session_.take_notice()) {
    handle(*std::move(notice), now);
    ++work;
  }
  work += run_timers(now);
  return work + (reclaim() ? 1 : 0);
}

// At most one message of each kind, so that a cycle ends whatever the session finds due.
int Attachment::send_due(Nanos now) {
  int sent = 0;
  unsigned kinds = 0;
  while (const auto message = session_.due(now)) {
    const unsigned kind = 1U << message->index();
    if ((kinds & kind) != 0) break;
    kinds |= kind;
    const bool out = std::visit([this](const auto& m) { return context_.plane.send(m); }, *message);
    if (!out) break;
    session_.sent(*message, now);
    ++sent;
  }
  return sent;
}

int Attachment::run_timers(Nanos now) {
  if (session_.state() != AttachSession::State::attached) return 0;
  int work = 0;
  each_cycle(now);
  if (now >= next_period_) {
    next_period_ = now + context_.options.announce_period_ns;
    each_period(now);
    ++work;
  }
  if (now >= next_qos_) {
    next_qos_ = now + context_.options.qos_interval_ns;
    report_qos();
    ++work;
  }
  return work;
}

void Attachment::on_announce(const protocol::ShmPoolAnnounce& announce, Nanos now, Nanos realtime) {
  if (announce.stream_id != session_.stream_id()) return;
  if (!is_fresh(announce, freshness_ns(), context_.plane.listening_since(), now, realtime)) return;
  session_.on_announce(announce.epoch, now);
  if (session_.state() == AttachSession::State::attached) on_epoch_announced(announce, now);
}

void Attachment::on_connection_lost() {
  withdraw();
  session_.on_connection_lost();
}

void Attachment::detach(Nanos now) {
  withdraw();
  session_.detach(now);
}

void Attachment::handle(AttachNotice notice, Nanos now) {
  using Kind = AttachNotice::Kind;
  switch (notice.kind) {
    case Kind::granted:
      return map(*notice.grant, now);
    case Kind::failed:
      return ticket_->settle(explain(std::move(notice.error)));
    case Kind::refused:
    case Kind::broken:
      return emit(EventKind::refused, std::move(notice.error.message));
    case Kind::lost:
      withdraw();
      return emit(EventKind::revoked, std::move(notice.error.message));
    case Kind::shutdown:
      withdraw();
      return emit(EventKind::driver_shutdown, std::move(notice.error.message));
    case Kind::driver_silent:
      return emit(EventKind::driver_silent, std::move(notice.error.message));
    case Kind::closed:
      return ticket_->settle(Error{ErrorCode::closed, "the client was closed"});
  }
}

void Attachment::map(const Grant& grant, Nanos now) {
  if (session_.state() != AttachSession::State::attached) return;  // lost again before it could be used
  auto adopted = adopt(grant, now);
  if (!adopted) {
    const Error error = make_error(adopted.error().code, "stream {} epoch {} was granted, but cannot be used: {}",
                                   grant.layout.stream_id, grant.layout.epoch, adopted.error().message);
    emit(EventKind::mapping_failed, error.message);
    withdraw();
    return session_.on_mapping_failed(error, now);
  }
  session_.on_mapped(now);
  next_period_ = now;
  next_qos_ = now;
  ticket_->settle({});
}

// What was tried, and what usually is the reason that nobody answered.
Error Attachment::explain(Error error) const {
  if (error.code != ErrorCode::timed_out) return error;
  error.message +=
      fmt::format(" ({}). {}", context_.plane.describe(),
                  !context_.plane.up() ? fmt::format("The media driver is gone: {}", context_.plane.trouble())
                  : session_.last_refusal().empty() ? "Nobody answered: is a tensorpool driver running in this aeron "
                                                      "directory, with the same control channel and "
                                                      "stream id? One that reserves many gigabytes may "
                                                      "need a longer time-out"
                                                    : "The driver did answer, but never with a usable lease.");
  return error;
}

void Attachment::emit(EventKind kind, std::string message) const {
  if (context_.options.on_event) context_.options.on_event({kind, stream_id(), client_id(), std::move(message)});
}

}  // namespace tensorpool::detail
