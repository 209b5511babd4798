#include "roles/driver/control_desk.hpp"

#include <type_traits>

#include "base/error.hpp"
#include "protocol/constants.hpp"
#include "roles/driver/stream_messages.hpp"
#include "roles/driver/token.hpp"

namespace tensorpool::driver {

using protocol::LeaseRevokeReason;
using protocol::ResponseCode;
using protocol::Role;

namespace {

constexpr std::size_t expirations_per_call = 64;
constexpr std::size_t told_unknown_limit = 256;
constexpr unsigned lines_per_second = 50;  // of each kind about clients that come and go

protocol::ShmDetachResponse detach_answer(std::int64_t correlation_id, ResponseCode code, std::string_view text = {}) {
  protocol::ShmDetachResponse response;
  response.correlation_id = correlation_id;
  response.code = code;
  response.error_message = text;
  return response;
}

}  // namespace

bool ControlDesk::is_for_driver(std::span<const std::byte> bytes) noexcept {
  const auto header = protocol::peek(bytes);
  const auto is = [&]<class... Messages>(std::type_identity<Messages>...) {
    return ((header->schema_id == Messages::schema_id && header->template_id == Messages::template_id) || ...);
  };
  return header &&
         is(std::type_identity<protocol::ShmLeaseKeepalive>{}, std::type_identity<protocol::ShmAttachRequest>{},
            std::type_identity<protocol::ShmDetachRequest>{}, std::type_identity<protocol::ShmDriverShutdownRequest>{},
            std::type_identity<protocol::ConsumerHello>{});
}

void ControlDesk::receive(std::span<const std::byte> bytes, Nanos now) {
  now_ = now;
  const auto outcome =
      protocol::dispatch<protocol::ShmLeaseKeepalive, protocol::ShmAttachRequest, protocol::ShmDetachRequest,
                         protocol::ShmDriverShutdownRequest, protocol::ConsumerHello>(bytes, *this);
  if (outcome.malformed()) {
    on_malformed(outcome, bytes);
  }
}

void ControlDesk::on_malformed(const protocol::DispatchOutcome& outcome, std::span<const std::byte> bytes) {
  ++books_.counts.malformed;
  ++books_.malformed_by_fault[static_cast<std::size_t>(outcome.fault)];
  books_.log.limited(now_, "malformed", LogLevel::warning,
                     "ignored a malformed {} of {} bytes on the control stream: {}",
                     protocol::message_name(outcome.header.schema_id, outcome.header.template_id), bytes.size(),
                     protocol::to_string(outcome.fault));
  if (outcome.fault == protocol::DecodeFault::newer_version) {
    answer_unsupported(outcome.header, bytes);
  }
}

// spec: driver §4.4a
void ControlDesk::answer_unsupported(const protocol::MessageHeader& header, std::span<const std::byte> bytes) {
  const auto correlation_id = protocol::peek_correlation_id(bytes);
  if (!correlation_id) {
    return;
  }
  constexpr std::string_view text = "schema version not supported; this driver speaks version 1";
  if (header.template_id == protocol::ShmAttachRequest::template_id) {
    ++books_.counts.refusals;
    books_.control_outbox.post(make_refusal(*correlation_id, ResponseCode::unsupported, text), now_);
  } else if (header.template_id == protocol::ShmDetachRequest::template_id) {
    books_.control_outbox.post(detach_answer(*correlation_id, ResponseCode::unsupported, text), now_);
  }
}

void ControlDesk::on(const protocol::ShmAttachRequest& request) {
  const AttachVerdict verdict = books_.attach_desk.on(request, now_);
  if (verdict.retired_stream) {
    books_.log.limited(now_, {"makes room", lines_per_second}, LogLevel::info,
                       "stream {} had no lease and makes room for another dynamic stream", *verdict.retired_stream);
  }
  if (verdict.answer) {
    if (verdict.repeated) {
      books_.control_outbox.post(*verdict.answer, now_);
    } else {
      answer_attach(*verdict.answer, {verdict.lease_id, request.stream_id, request.client_id, request.role});
    }
  } else if (verdict.awaits == AttachVerdict::Epoch::producer) {
    books_.provisioning.want_producer_epoch(verdict.stream_id, verdict.lease_id);
  } else if (verdict.awaits == AttachVerdict::Epoch::idle) {
    books_.provisioning.want_idle_epoch(verdict.stream_id, verdict.lease_id);
  }
}

// A grant that the channel cannot carry is taken back and said as a failure: the client is never left without an
// answer.
void ControlDesk::answer_attach(const protocol::ShmAttachResponse& response, const LeaseKey& who) {
  const auto posted = books_.control_outbox.post(response, now_);
  const bool said = posted != Outbox::Posted::too_long && posted != Outbox::Posted::failed;
  if (said || response.code != ResponseCode::ok) {
    count_answer(response, who);
    return;
  }
  std::optional<Lease> lease;
  if (const Lease* const granted = books_.leases.find(who.lease_id)) {
    lease = *granted;
    lease->node_id.reset();  // withdraw() gives it back
  }
  const auto refusal = books_.attach_desk.withdraw(
      who.lease_id,
      "the attach response is longer than driver.control_channel carries, or too many answers wait; "
      "give the channel a longer term-length",
      now_);
  if (lease && lease->key.role == Role::producer) {
    say_lease_ended(*lease, LeaseRevokeReason::revoked);
  }
  books_.control_outbox.post(refusal, now_);
  count_answer(refusal, who);
}

// REQUIRES: the attach is pending. The epoch that it waited for may be gone again: its producer could not be answered.
void ControlDesk::grant_attach(std::uint64_t lease_id) {
  const LeaseKey who = books_.leases.find(lease_id)->key;
  if (books_.streams.find(who.stream_id)->provisioned()) {
    answer_attach(books_.attach_desk.grant(lease_id, now_), who);
  } else {
    books_.provisioning.want_idle_epoch(who.stream_id, lease_id);
  }
}

// REQUIRES: the attach is pending.
void ControlDesk::refuse_attach(std::uint64_t lease_id, ResponseCode code, std::string_view why) {
  const LeaseKey who = books_.leases.find(lease_id)->key;
  answer_attach(books_.attach_desk.refuse(lease_id, code, why, now_), who);
}

void ControlDesk::count_answer(const protocol::ShmAttachResponse& response, const LeaseKey& who) {
  if (response.code == ResponseCode::ok) {
    ++books_.counts.attaches;
    books_.log.limited(now_, {"attached", lines_per_second}, LogLevel::info, "stream {}: {} {} attached, epoch {}",
                       response.stream_id.value_or(who.stream_id), protocol::to_string(who.role), who.client_id,
                       response.epoch.value_or(0));
    return;
  }
  ++books_.counts.refusals;
  books_.log.limited(now_, "refusal", LogLevel::warning, "stream {}: refused {} {}, {}: {}", who.stream_id,
                     protocol::to_string(who.role), who.client_id, protocol::to_string(response.code),
                     response.error_message);
}

void ControlDesk::finish(const ProvisioningOutcome& outcome, Nanos now) {
  now_ = now;
  if (!outcome.status) {
    ++books_.counts.provisioning_failures;
    books_.log.limited(now, "provisioning", LogLevel::error, "cannot provision stream {}: {}", outcome.stream_id,
                       outcome.status.error().message);
    for (const std::uint64_t lease_id : outcome.waiting) {
      if (books_.attach_desk.is_pending(lease_id)) {
        refuse_attach(lease_id, ResponseCode::internal_error, outcome.status.error().message);
      }
    }
    if (outcome.lock_refused) {
      fail(make_error(outcome.status.error().code, "policies.mlock_shm makes that fatal, the driver ends: {}",
                      outcome.status.error().message));
    }
    return;
  }
  // Responses before the announce (behaviour: attach).
  for (const std::uint64_t lease_id : outcome.waiting) {
    if (books_.attach_desk.is_pending(lease_id)) {
      grant_attach(lease_id);
    }
  }
  if (Stream* const stream = books_.streams.find(outcome.stream_id)) {
    announcer_.announce(*stream, now);
  }
}

// The driver cannot go on as it was told to; it says goodbye in order.
void ControlDesk::fail(Error why) {
  books_.log.error("{}", why.message);
  books_.failure = std::move(why);
  books_.shutdown_asked = protocol::ShutdownReason::error;
}

// spec: driver §4.9
void ControlDesk::on(const protocol::ShmDetachRequest& request) {
  const LeaseKey key{request.lease_id, request.stream_id, request.client_id, request.role};
  if (books_.leases.find_running(key) == nullptr) {
    // A lease that has ended is detached already; one that never was, or is another's, is unknown.
    const bool ended = books_.leases.was_issued(key.lease_id) && books_.leases.find(key.lease_id) == nullptr;
    books_.counts.unknown_leases += ended ? 0 : 1;
    books_.control_outbox.post(
        ended ? detach_answer(request.correlation_id, ResponseCode::ok)
              : detach_answer(request.correlation_id, ResponseCode::rejected, protocol::refusal_unknown_lease),
        now_);
    return;
  }
  const Lease lease = *books_.leases.end(key.lease_id);
  ++books_.counts.detaches;
  say_lease_ended(lease, LeaseRevokeReason::detached);  // before the response, as clients of other makes expect it
  books_.control_outbox.post(detach_answer(request.correlation_id, ResponseCode::ok), now_);
}

int ControlDesk::expire(Nanos now) {
  now_ = now;
  const std::vector<Lease> expired = books_.leases.expire(now, expirations_per_call);
  for (const Lease& lease : expired) {
    ++books_.counts.expirations;
    say_lease_ended(lease, LeaseRevokeReason::expired);
  }
  return static_cast<int>(expired.size());
}

// The lease is out of the books already. Its holder is told first; after a producer the stream moves to an idle epoch,
// which is announced as soon as it is there. spec: driver §4.9, §6, §7
void ControlDesk::say_lease_ended(const Lease& lease, LeaseRevokeReason reason) {
  const LeaseKey& key = lease.key;
  books_.log.limited(now_, {"lease ended", lines_per_second}, LogLevel::info, "stream {}: lease of {} {} ended, {}",
                     key.stream_id, protocol::to_string(key.role), key.client_id, protocol::to_string(reason));
  books_.control_outbox.post(make_revoked(key, reason, now_), now_);
  books_.attach_desk.forget_lease(key.lease_id);
  books_.consumer_streams.lease_ended(key.lease_id);
  if (lease.node_id) {
    books_.node_ids.release(*lease.node_id, now_);
  }
  Stream* const stream = books_.streams.find(key.stream_id);
  if (stream == nullptr) {
    return;
  }
  stream->unused_since = now_;
  if (key.role == Role::producer) {
    if (stream->provisioned()) {
      books_.collector.superseded(key.stream_id, stream->layout->epoch, now_);
      books_.collector.release(stream->drop_epoch());
    }
    books_.provisioning.want_idle_epoch(key.stream_id, std::nullopt);
  }
}

void ControlDesk::on(const protocol::ShmLeaseKeepalive& keepalive) {
  const LeaseKey key{keepalive.lease_id, keepalive.stream_id, keepalive.client_id, keepalive.role};
  if (books_.leases.keepalive(key, now_)) {
    ++books_.counts.keepalives;
    return;
  }
  ++books_.counts.unknown_leases;
  books_.log.limited(now_, "keepalive", LogLevel::warning,
                     "ignored a keepalive for an unknown lease of stream {}, client {}", key.stream_id, key.client_id);
  if (books_.leases.find(key.lease_id) == nullptr) {
    tell_unknown(key);
  }
}

// A client whose lease died with a former driver, or while it was stopped, learns it now and attaches anew; again each
// keepalive interval, since it may miss the word; but never so many at a time that a flood of forged keepalives could
// crowd answers out of the outbox. A live lease named wrongly is left alone: that is a forgery.
void ControlDesk::tell_unknown(const LeaseKey& key) {
  if (now_ - told_since_ >= books_.config.keepalive_interval_ns()) {
    told_since_ = now_;
    told_unknown_.clear();
  }
  if (told_unknown_.size() >= told_unknown_limit || !told_unknown_.insert(key.lease_id).second) {
    return;
  }
  protocol::ShmLeaseRevoked revoked = make_revoked(key, LeaseRevokeReason::revoked, now_);
  revoked.error_message = protocol::refusal_unknown_lease;
  books_.control_outbox.post(revoked, now_);
}

// spec: driver §4.13
void ControlDesk::on(const protocol::ShmDriverShutdownRequest& request) {
  if (!token_matches(books_.config.policies.shutdown_token, request.token)) {
    ++books_.counts.bad_tokens;
    books_.log.limited(now_, "token", LogLevel::warning, "ignored a shutdown request without the right token");
    return;
  }
  if (!books_.shutdown_asked) {  // whoever asks may ask until he hears the goodbye
    books_.log.info("shutdown was requested: {}{}{}", protocol::to_string(request.reason),
                    request.error_message.empty() ? "" : ", ", escape(request.error_message));
  }
  books_.shutdown_asked = request.reason;
}

void ControlDesk::on(const protocol::ConsumerHello& hello) {
  const Lease* const holder = books_.leases.find_consumer(hello.stream_id, hello.consumer_id);
  if (holder == nullptr) {
    return;  // a standalone producer's consumer, or one that has yet to attach
  }
  const auto answer = books_.consumer_streams.on(hello, *holder);
  if (!answer) {
    return;
  }
  if (books_.consumer_streams.may_answer(holder->key.lease_id, now_)) {
    books_.control_outbox.post(*answer, now_);
  } else {
    ++books_.counts.unanswered_hellos;
  }
}

void ControlDesk::refuse_pending(Nanos now) {
  now_ = now;
  std::vector<std::uint64_t> pending;
  for (const auto& [lease_id, lease] : books_.leases.all()) {
    if (lease.pending) {
      pending.push_back(lease_id);
    }
  }
  for (const std::uint64_t lease_id : pending) {
    refuse_attach(lease_id, ResponseCode::rejected, protocol::refusal_draining);
  }
}

}  // namespace tensorpool::driver
