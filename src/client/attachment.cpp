#include "client/attachment.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/error.hpp"
#include "protocol/region_uri.hpp"

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

namespace {

// <base>/tensorpool-<user>/<namespace>/<stream>/<epoch>/header.ring without the last three.
std::string owner_of(std::string path) {
  for (int level = 0; level < 3; ++level) path.resize(std::min(path.rfind('/'), path.size()));
  return path;
}

}  // namespace

Attachment::Attachment(ClientContext context, std::unique_ptr<Tenancy> tenancy)
    : context_(context), tenancy_(std::move(tenancy)) {}

int Attachment::do_work(Nanos now) {
  if (handle_closed() && tenancy_->state() != Tenancy::State::detaching && !tenancy_->over()) {
    if (tenancy_->state() == Tenancy::State::attached) report_qos();  // the last figures
    detach(now);
  }
  int work = tenancy_->do_work(now) + send_due(now);
  while (auto notice = tenancy_->take_notice()) {
    handle(*std::move(notice), now);
    ++work;
  }
  work += check_regions(now) + run_timers(now);
  return work + (reclaim() ? 1 : 0);
}

// At most one message of each kind, so that a cycle ends whatever the session finds due.
int Attachment::send_due(Nanos now) {
  int sent = 0;
  unsigned kinds = 0;
  while (const auto message = tenancy_->due(now)) {
    const unsigned kind = 1U << message->index();
    if ((kinds & kind) != 0) break;
    kinds |= kind;
    const bool out = std::visit([this](const auto& m) { return context_.plane.send(m); }, *message);
    if (!out) break;
    tenancy_->sent(*message, now);
    ++sent;
  }
  return sent;
}

// What zeros were laid over (shm/sigbus_guard.hpp) is given up; the lease goes back, and the next one is for other
// files or for files that are whole again.
int Attachment::check_regions(Nanos now) {
  if (tenancy_->state() != Tenancy::State::attached || regions() == nullptr) return 0;
  const std::string* const region = regions()->lost_region();
  if (region == nullptr) return 0;
  const Error error = make_error(
      ErrorCode::io_error,
      "stream {} epoch {} is given up and attached anew: region {} has lost its memory while it was mapped. Somebody "
      "truncated the file, or it is not reserved and its file system is full: let nobody but the driver and its "
      "producers write there, and reserve in full",
      stream_id(), regions()->epoch(), *region);
  lose_regions();
  withdraw();
  emit(EventKind::mapping_failed, error.message);
  tenancy_->on_mapping_failed(error, now);
  return 1;
}

int Attachment::run_timers(Nanos now) {
  if (tenancy_->state() != Tenancy::State::attached) return 0;
  int work = each_cycle(now);
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
  if (announce.stream_id != tenancy_->stream_id()) return;
  if (!is_fresh(announce, freshness_ns(), context_.plane.listening_since(), now, realtime)) return;
  const auto header = protocol::parse_region_uri(announce.header_region_uri);
  // A message that says nothing usable is a sign of life, as long as it does not say that it is another's.
  if (!header || same_owner(header->path)) tenancy_->on(announce, now);
  if (tenancy_->state() == Tenancy::State::attached) on_epoch_announced(announce, now);
}

bool Attachment::same_owner(const std::string& header_path) const {
  return owner_directory_.empty() || owner_of(header_path) == owner_directory_;
}

void Attachment::on_connection_lost() {
  withdraw();
  owner_directory_.clear();
  tenancy_->on_connection_lost();
}

void Attachment::detach(Nanos now) {
  withdraw();
  tenancy_->detach(now);
}

void Attachment::handle(AttachNotice notice, Nanos now) {
  switch (notice.kind) {
    case NoticeKind::granted:
      return map(*notice.grant, now);
    case NoticeKind::failed:
      return ticket_->settle(explain(std::move(notice.error)));
    case NoticeKind::refused:
    case NoticeKind::broken:
      return emit(EventKind::refused, std::move(notice.error.message));
    case NoticeKind::lost:
    case NoticeKind::shutdown: {
      const bool lost = notice.kind == NoticeKind::lost;
      Event event{.kind = lost ? EventKind::revoked : EventKind::driver_shutdown,
                  .message = std::move(notice.error.message),
                  .epoch = epoch(),
                  .reason = notice.reason};
      withdraw();
      return emit(std::move(event));
    }
    case NoticeKind::driver_silent:
      return emit(EventKind::driver_silent, std::move(notice.error.message));
    case NoticeKind::producer_gone:
      owner_directory_.clear();
      return emit({.kind = EventKind::producer_gone,
                   .message = std::move(notice.error.message),
                   .producer_id = notice.producer_id,
                   .reason = notice.reason});
    case NoticeKind::trouble:
      return emit(EventKind::log, std::move(notice.error.message));
    case NoticeKind::closed:
      return ticket_->settle(Error{ErrorCode::closed, "the client was closed"});
  }
}

void Attachment::map(const Grant& grant, Nanos now) {
  if (tenancy_->state() != Tenancy::State::attached) return;  // lost again before it could be used
  auto adopted = adopt(grant, now);
  if (!adopted) {
    const Error error = make_error(adopted.error().code, "stream {} epoch {} was granted, but cannot be used: {}",
                                   grant.layout.stream_id, grant.layout.epoch, adopted.error().message);
    emit(EventKind::mapping_failed, error.message);
    withdraw();
    return tenancy_->on_mapping_failed(error, now);
  }
  owner_directory_ = owner_of(grant.layout.header_path);
  tenancy_->on_mapped(now);
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
                                       : tenancy_->likely_reason());
  return error;
}

void Attachment::emit(EventKind kind, std::string message) const {
  emit({.kind = kind, .message = std::move(message)});
}

void Attachment::emit(Event event) const {
  if (!context_.options.on_event) return;
  event.stream_id = stream_id();
  event.client_id = client_id();
  if (event.epoch == 0) event.epoch = epoch();
  context_.options.on_event(event);
}

}  // namespace tensorpool::detail
