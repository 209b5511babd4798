#pragma once

#include <gtest/gtest.h>

#include "client/attach_session.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {

// A session, the messages it wants to send, and a clock driven by hand.
class AttachSessionBench : public testing::Test {
 protected:
  using ResponseCode = protocol::ResponseCode;
  using Role = protocol::Role;
  using ShmAttachRequest = protocol::ShmAttachRequest;
  using ShmAttachResponse = protocol::ShmAttachResponse;
  using ShmDetachRequest = protocol::ShmDetachRequest;
  using ShmLeaseKeepalive = protocol::ShmLeaseKeepalive;
  using State = AttachSession::State;

  AttachSession make(AttachSettings settings) {
    if (settings.stream_id == 0 && !settings.create) settings.stream_id = 5;
    return AttachSession(settings, [this] { return ++random_ * 0x9E3779B97F4A7C15ULL; });
  }

  // Sends all that is due, and remembers it.
  void pump(AttachSession& session) {
    while (const auto message = session.due(now_)) {
      session.sent(*message, now_);
      if (const auto* m = std::get_if<ShmAttachRequest>(&*message)) attaches_.push_back(*m);
      if (const auto* m = std::get_if<ShmDetachRequest>(&*message)) detaches_.push_back(*m);
      if (const auto* m = std::get_if<ShmLeaseKeepalive>(&*message)) keepalives_.push_back(*m);
    }
  }
  void run(AttachSession& session, Nanos duration, Nanos step = 10 * ms) {
    for (const Nanos end = now_ + duration; now_ < end; now_ += step) pump(session);
  }

  void run_until_asked(AttachSession& session, std::size_t times) {
    for (int i = 0; i < 1000 && attaches_.size() < times; ++i) run(session, 10 * ms);
  }

  ShmAttachResponse ok(std::uint64_t lease = 100, std::uint64_t epoch = 1) const {
    ShmAttachResponse r;
    r.correlation_id = attaches_.back().correlation_id;
    r.lease_id = lease;
    r.lease_expiry_timestamp_ns = static_cast<std::uint64_t>(now_ + 3 * second);
    r.stream_id = 5;
    r.epoch = epoch;
    r.layout_version = 1;
    r.header_nslots = 8;
    r.header_slot_bytes = 256;
    r.payload_pools = {{1, 8, 4096, "shm:file?path=/dev/shm/x/1.pool"}};
    r.header_region_uri = "shm:file?path=/dev/shm/x/header.ring";
    return r;
  }
  ShmAttachResponse refusal(std::string text, ResponseCode code = ResponseCode::rejected) const {
    ShmAttachResponse r;
    r.correlation_id = attaches_.back().correlation_id;
    r.code = code;
    r.error_message = std::move(text);
    return r;
  }
  std::optional<NoticeKind> next_notice(AttachSession& session) {
    auto notice = session.take_notice();
    if (!notice) return std::nullopt;
    text_ = notice->error.message;
    code_ = notice->error.code;
    return notice->kind;
  }
  // Attached, with the notice taken.
  void attach(AttachSession& session) {
    session.start(now_);
    pump(session);
    session.on(ok(), now_);
    ASSERT_EQ(next_notice(session), NoticeKind::granted);
    session.on_mapped(now_);
    ASSERT_EQ(session.state(), State::attached);
  }

  Nanos now_ = 1000 * second;
  std::uint64_t random_ = 0;
  std::vector<ShmAttachRequest> attaches_;
  std::vector<ShmDetachRequest> detaches_;
  std::vector<ShmLeaseKeepalive> keepalives_;
  std::string text_;
  ErrorCode code_{};
};

}  // namespace tensorpool::detail
