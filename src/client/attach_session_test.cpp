#include "client/attach_session.hpp"

#include <gtest/gtest.h>

#include <set>

#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

using protocol::ResponseCode;
using protocol::Role;
using protocol::ShmAttachRequest;
using protocol::ShmAttachResponse;
using protocol::ShmDetachRequest;
using protocol::ShmLeaseKeepalive;
using State = AttachSession::State;

// A session, the messages it wants to send, and a clock driven by hand.
class AttachSessionTest : public testing::Test {
 protected:
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

TEST_F(AttachSessionTest, AsksForWhatWasConfiguredAndMapsWhatWasGranted) {
  auto session = make({.role = Role::producer, .client_id = 9, .create = true, .desired_node_id = 3});
  EXPECT_EQ(session.state(), State::unattached);
  session.start(now_);
  EXPECT_EQ(session.state(), State::attaching);
  pump(session);
  ASSERT_EQ(attaches_.size(), 1u);
  EXPECT_EQ(attaches_[0].client_id, 9u);
  EXPECT_EQ(attaches_[0].role, Role::producer);
  EXPECT_EQ(attaches_[0].publish_mode, protocol::PublishMode::existing_or_create);
  EXPECT_EQ(attaches_[0].desired_node_id, 3u);
  auto response = ok();
  session.on(response, now_);
  EXPECT_EQ(session.state(), State::attached);
  const auto notice = session.take_notice();
  ASSERT_TRUE(notice && notice->grant);
  EXPECT_EQ(notice->grant->lease_id, 100u);
  EXPECT_EQ(notice->grant->layout.pools.at(0).path, "/dev/shm/x/1.pool");
  EXPECT_FALSE(session.take_notice());
}

TEST_F(AttachSessionTest, RepeatsAnAttemptUnderOneCorrelationIdWithGrowingJitteredPauses) {
  auto session = make({.attach_timeout_ns = 9 * second});
  session.start(now_);
  std::vector<Nanos> times;
  for (const Nanos end = now_ + 8 * second; now_ < end; now_ += ms) {
    const std::size_t before = attaches_.size();
    pump(session);
    if (attaches_.size() != before) times.push_back(now_);
  }
  ASSERT_GE(times.size(), 6u);
  std::set<std::int64_t> ids;
  for (const auto& request : attaches_) ids.insert(request.correlation_id);
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_GE(*ids.begin(), 0);
  EXPECT_LE(times[1] - times[0], 101 * ms);
  std::set<Nanos> pauses;
  for (std::size_t i = 5; i < times.size(); ++i) {
    EXPECT_GE(times[i] - times[i - 1], 500 * ms);
    EXPECT_LE(times[i] - times[i - 1], 1001 * ms);
    pauses.insert(times[i] - times[i - 1]);
  }
  EXPECT_GT(pauses.size(), 1u);
}

TEST_F(AttachSessionTest, TellsTheCallerWhenNobodyAnswersInTime) {
  auto session = make({.attach_timeout_ns = second});
  session.start(now_);
  run(session, 1010 * ms);
  ASSERT_EQ(next_notice(session), NoticeKind::failed);
  EXPECT_EQ(code_, ErrorCode::timed_out);
  EXPECT_NE(text_.find("1000 ms"), std::string::npos) << text_;
  const std::size_t asked = attaches_.size();
  run(session, 11 * second);
  EXPECT_TRUE(session.over());
  EXPECT_EQ(attaches_.size(), asked);
}

// A driver that provisions gigabytes may grant what nobody waits for any more; unclaimed, it would hold the producer's
// place for a whole lease.
TEST_F(AttachSessionTest, GivesBackALeaseThatIsGrantedAfterTheTimeOut) {
  auto session = make({.role = Role::producer, .attach_timeout_ns = second});
  session.start(now_);
  run(session, 1010 * ms);
  ASSERT_EQ(next_notice(session), NoticeKind::failed);
  run(session, 5 * second);
  EXPECT_FALSE(session.over());
  session.on(ok(), now_);
  pump(session);
  ASSERT_EQ(detaches_.size(), 1u);
  EXPECT_EQ(detaches_[0].lease_id, 100u);
  session.on(protocol::ShmDetachResponse{detaches_[0].correlation_id, ResponseCode::ok, {}});
  EXPECT_TRUE(session.over());
}

TEST_F(AttachSessionTest, WaitsForNoLateAnswerWhenTheClientEnds) {
  auto session = make({.attach_timeout_ns = second});
  session.start(now_);
  run(session, 1010 * ms);
  ASSERT_EQ(next_notice(session), NoticeKind::failed);
  session.detach(now_);
  run(session, 510 * ms);
  EXPECT_TRUE(session.over());
}

TEST_F(AttachSessionTest, TakesAnAnswerThatArrivesWithItsTimeOut) {
  auto session = make({.attach_timeout_ns = second});
  session.start(now_);
  run(session, 990 * ms);
  now_ += 100 * ms;
  session.on(ok(), now_);
  pump(session);
  ASSERT_EQ(next_notice(session), NoticeKind::granted);
  EXPECT_EQ(session.state(), State::attached);
  session.on_mapping_failed({ErrorCode::permission_denied, "no"}, now_);
  pump(session);
  EXPECT_EQ(detaches_.size(), 1u);
}

// Each lease that is given up is detached, also when two are given up before one could be sent.
TEST_F(AttachSessionTest, DetachesEveryLeaseThatItGaveUp) {
  auto session = make({.client_id = 9});
  attach(session);
  run(session, 3100 * ms);  // the driver is silent: it asks whether it still knows us
  ASSERT_EQ(next_notice(session), NoticeKind::driver_silent);
  ASSERT_GE(attaches_.size(), 2u);
  session.detach(now_);
  session.on(ok(200), now_);  // before the first detach could go out
  pump(session);
  std::set<std::uint64_t> given_back;
  for (const auto& request : detaches_) given_back.insert(request.lease_id);
  EXPECT_EQ(given_back, (std::set<std::uint64_t>{100, 200}));
  session.on(protocol::ShmDetachResponse{detaches_[0].correlation_id, ResponseCode::ok, {}});
  EXPECT_FALSE(session.over());
  session.on(protocol::ShmDetachResponse{detaches_[1].correlation_id, ResponseCode::ok, {}});
  EXPECT_TRUE(session.over());
}

// spec: W2; a response carries no client id, so only outstanding correlation ids count.
TEST_F(AttachSessionTest, IgnoresResponsesThatItDidNotAskFor) {
  auto session = make({});
  session.start(now_);
  pump(session);
  auto forged = ok();
  forged.correlation_id += 1;
  session.on(forged, now_);
  EXPECT_EQ(session.state(), State::attaching);
  EXPECT_FALSE(session.take_notice());
}

TEST_F(AttachSessionTest, KeepsTheFirstOkAgainstDuplicatesAndLaterRefusals) {
  auto session = make({});
  attach(session);
  session.on(ok(), now_);
  session.on(ok(999, 7), now_);
  session.on(refusal("stream not provisioned"), now_);
  EXPECT_EQ(session.state(), State::attached);
  EXPECT_FALSE(session.take_notice());
  now_ += second;
  pump(session);
  ASSERT_FALSE(keepalives_.empty());
  EXPECT_EQ(keepalives_.back().lease_id, 100u);
}

TEST_F(AttachSessionTest, HandsAFinalRefusalToTheFirstCallerAtOnce) {
  for (const char* text : {"stream not provisioned", "layout_version mismatch", "producer already attached"}) {
    auto session = make({.client_id = 4});
    session.start(now_);
    pump(session);
    session.on(refusal(text), now_);
    ASSERT_EQ(next_notice(session), NoticeKind::failed);
    EXPECT_EQ(code_, ErrorCode::refused);
    EXPECT_NE(text_.find(text), std::string::npos) << text_;
    EXPECT_TRUE(session.over());
  }
}

TEST_F(AttachSessionTest, WaitsForAnotherDriverWhileOneIsDraining) {
  auto session = make({});
  session.start(now_);
  pump(session);
  session.on(refusal("driver draining"), now_);
  EXPECT_EQ(session.state(), State::backoff);
  run_until_asked(session, 2);
  ASSERT_EQ(attaches_.size(), 2u);
  EXPECT_NE(attaches_[0].correlation_id, attaches_[1].correlation_id);
}

TEST_F(AttachSessionTest, DrawsAnotherIdWhenItsAutomaticOneIsTaken) {
  auto session = make({});
  session.start(now_);
  pump(session);
  session.on(refusal("client_id already attached"), now_);
  pump(session);
  ASSERT_EQ(attaches_.size(), 2u);
  EXPECT_NE(attaches_[0].client_id, attaches_[1].client_id);
  EXPECT_NE(attaches_[1].client_id, 0u);
  EXPECT_NE(attaches_[0].correlation_id, attaches_[1].correlation_id);
}

TEST_F(AttachSessionTest, ReportsATakenIdThatTheUserChose) {
  auto session = make({.client_id = 7});
  session.start(now_);
  pump(session);
  session.on(refusal("client_id already attached"), now_);
  EXPECT_EQ(next_notice(session), NoticeKind::failed);
}

TEST_F(AttachSessionTest, KeepsTheLeaseAliveAndRetriesWhatCouldNotBeSent) {
  auto session = make({});
  attach(session);
  now_ += second;
  ASSERT_TRUE(session.due(now_));
  now_ += 100 * ms;  // back-pressure: nothing was sent, it stays due
  pump(session);
  EXPECT_EQ(keepalives_.size(), 1u);
  EXPECT_EQ(keepalives_[0].client_timestamp_ns, static_cast<std::uint64_t>(now_));
  pump(session);
  EXPECT_EQ(keepalives_.size(), 1u);
}

// Whatever the settings and the driver say, a duty cycle ends.
TEST_F(AttachSessionTest, SendsOneKeepaliveAtATime) {
  for (const Nanos period : {Nanos{0}, second}) {
    auto session = make({.announce_period_ns = period});
    session.start(now_);
    pump(session);
    auto granted = ok();
    granted.lease_expiry_timestamp_ns = static_cast<std::uint64_t>(now_ + 2);  // as good as over
    session.on(granted, now_);
    session.on_mapped(now_);
    session.on_announce(1, now_);
    for (int i = 0; i < 2; ++i) {
      const auto message = session.due(now_);
      if (!message) break;
      EXPECT_EQ(i, 0) << "due again although it was sent at this very moment";
      session.sent(*message, now_);
    }
  }
}

// A revoke may be lost; the keepalives that follow give the driver the occasion to repeat it.
TEST_F(AttachSessionTest, GoesOnWithKeepalivesUntilARevokeArrives) {
  auto session = make({.client_id = 9});
  attach(session);
  for (int i = 0; i < 20; ++i) {  // the lease ended at the driver, which announces the stream all the same
    run(session, second);
    session.on_announce(1, now_);
  }
  EXPECT_GE(keepalives_.size(), 19u);
  EXPECT_EQ(session.state(), State::attached);
  session.on(
      protocol::ShmLeaseRevoked{0, 100, 5, 9, Role::consumer, protocol::LeaseRevokeReason::expired, "unknown lease"},
      now_);
  EXPECT_EQ(next_notice(session), NoticeKind::lost);
}

TEST_F(AttachSessionTest, GivesTheLeaseUpWhenItHasExpiredForCertain) {
  auto session = make({});
  attach(session);
  for (int i = 0; i < 61; ++i) {  // announces go on, but no keepalive gets out
    now_ += 100 * ms;
    session.on_announce(1, now_);
    static_cast<void>(session.due(now_));
  }
  ASSERT_EQ(next_notice(session), NoticeKind::lost);
  EXPECT_NE(text_.find("expired"), std::string::npos);
  EXPECT_EQ(session.state(), State::backoff);
}

TEST_F(AttachSessionTest, ReattachesAfterARevokeWithTheOriginalModeAndANewQuestion) {
  auto session = make({.role = Role::producer, .client_id = 9, .create = true});
  attach(session);
  protocol::ShmLeaseRevoked revoked{0, 100, 5, 9, Role::producer, protocol::LeaseRevokeReason::expired, {}};
  session.on(revoked, now_);
  ASSERT_EQ(next_notice(session), NoticeKind::lost);
  session.on(revoked, now_);  // an edge, consumed once
  EXPECT_FALSE(session.take_notice());
  run_until_asked(session, 2);
  ASSERT_EQ(attaches_.size(), 2u);
  EXPECT_EQ(attaches_[1].publish_mode, protocol::PublishMode::existing_or_create);
  EXPECT_EQ(attaches_[1].stream_id, 5u);
  EXPECT_NE(attaches_[0].correlation_id, attaches_[1].correlation_id);
  session.on(refusal("producer already attached"), now_);
  EXPECT_EQ(next_notice(session), NoticeKind::refused);
  EXPECT_EQ(session.state(), State::backoff);
}

TEST_F(AttachSessionTest, IgnoresRevokesOfOtherLeases) {
  auto session = make({.client_id = 9});
  attach(session);
  using protocol::LeaseRevokeReason;
  session.on(protocol::ShmLeaseRevoked{0, 101, 5, 9, Role::consumer, LeaseRevokeReason::revoked, {}}, now_);
  session.on(protocol::ShmLeaseRevoked{0, 100, 6, 9, Role::consumer, LeaseRevokeReason::revoked, {}}, now_);
  session.on(protocol::ShmLeaseRevoked{0, 100, 5, 8, Role::consumer, LeaseRevokeReason::revoked, {}}, now_);
  session.on(protocol::ShmLeaseRevoked{0, 100, 5, 9, Role::producer, LeaseRevokeReason::revoked, {}}, now_);
  EXPECT_EQ(session.state(), State::attached);
}

TEST_F(AttachSessionTest, EndsOnAShutdownNoticeButNotOnAReplayedOne) {
  auto session = make({});
  const auto before = static_cast<std::uint64_t>(now_ - 1);
  attach(session);
  session.on(protocol::ShmDriverShutdown{before, protocol::ShutdownReason::normal, {}}, now_);
  EXPECT_EQ(session.state(), State::attached);
  session.on(protocol::ShmDriverShutdown{static_cast<std::uint64_t>(now_), protocol::ShutdownReason::admin, "bye"},
             now_);
  EXPECT_EQ(next_notice(session), NoticeKind::shutdown);
  EXPECT_EQ(session.state(), State::backoff);
}

TEST_F(AttachSessionTest, AsksAPausedDriverWithoutGivingItsLeaseUp) {
  auto session = make({.role = Role::producer});
  attach(session);
  run(session, 3100 * ms);
  ASSERT_EQ(next_notice(session), NoticeKind::driver_silent);
  EXPECT_EQ(session.state(), State::attached);
  ASSERT_GE(attaches_.size(), 2u);
  EXPECT_TRUE(detaches_.empty());
  // The driver wakes up, and still knows the lease.
  session.on(refusal("client_id already attached"), now_);
  run(session, 2 * second);
  EXPECT_EQ(session.state(), State::attached);
  EXPECT_FALSE(session.take_notice());
}

// spec: behaviour, Client: until the lease's deadline plus one grace.
TEST_F(AttachSessionTest, WritesOnForOneGraceBeyondTheDeadlineOfASilentDriver) {
  auto session = make({.role = Role::producer});
  attach(session);
  run(session, 5900 * ms);
  EXPECT_EQ(next_notice(session), NoticeKind::driver_silent);
  EXPECT_EQ(session.state(), State::attached);
  run(session, 200 * ms);
  EXPECT_EQ(next_notice(session), NoticeKind::lost);
  EXPECT_NE(session.state(), State::attached);
}

TEST_F(AttachSessionTest, TakesTheLeaseOfADriverThatCameBackWithoutMemory) {
  auto session = make({.role = Role::producer});
  attach(session);
  run(session, 3500 * ms);
  EXPECT_EQ(next_notice(session), NoticeKind::driver_silent);
  session.on_announce(2, now_);  // its announce overtakes its response
  session.on(ok(200, 3), now_);
  EXPECT_EQ(next_notice(session), NoticeKind::granted);
  EXPECT_EQ(session.state(), State::attached);
}

TEST_F(AttachSessionTest, LearnsByItsKeepaliveWhetherANewEpochsDriverKnowsAConsumer) {
  auto session = make({.role = Role::consumer});
  attach(session);
  pump(session);
  const std::size_t before = keepalives_.size();
  session.on_announce(2, now_);
  pump(session);
  EXPECT_EQ(keepalives_.size(), before + 1);
  EXPECT_EQ(attaches_.size(), 1u) << "a second attach of the same client is refused, and that harms some drivers";
  EXPECT_EQ(session.state(), State::attached);
}

// spec: behaviour, Mapping: a forged or failed announce must not block a stream.
TEST_F(AttachSessionTest, StaysWithItsDriverWhenAHigherEpochIsAnnouncedThatNobodyCanMap) {
  for (const Role role : {Role::consumer, Role::producer}) {
    auto session = make({.role = role});
    attach(session);
    session.on_announce(std::uint64_t{1} << 63, now_);
    for (int i = 0; i < 10; ++i) {
      run(session, second);
      session.on_announce(1, now_);
      if (i % 2 == 0) session.on_announce(std::uint64_t{1} << 63, now_);
    }
    EXPECT_EQ(session.state(), State::attached);
    EXPECT_FALSE(next_notice(session)) << text_;
    EXPECT_EQ(attaches_.back().correlation_id, attaches_.front().correlation_id) << "it asked whether it was known";
    attaches_.clear();
  }
}

TEST_F(AttachSessionTest, AsksByAKeepaliveWhenItsProducersEpochIsOvertaken) {
  auto session = make({.role = Role::producer});
  attach(session);
  pump(session);
  const std::size_t before = keepalives_.size();
  session.on_announce(2, now_);
  pump(session);
  EXPECT_EQ(keepalives_.size(), before + 1);
  EXPECT_EQ(session.state(), State::attached);
}

// A driver that answers no keepalive announces the higher epoch again and again, and ours no more.
TEST_F(AttachSessionTest, DetachesTheOldLeaseBeforeItAsksForANewOne) {
  auto session = make({.role = Role::producer});
  attach(session);
  session.on_announce(2, now_);
  run(session, second);
  session.on_announce(2, now_);
  EXPECT_FALSE(next_notice(session));
  run(session, second);
  session.on_announce(2, now_);
  ASSERT_EQ(next_notice(session), NoticeKind::lost);
  EXPECT_TRUE(attaches_.size() == 1 && detaches_.empty());
  pump(session);
  ASSERT_EQ(detaches_.size(), 1u);
  EXPECT_EQ(detaches_[0].lease_id, 100u);
  run_until_asked(session, 2);
  EXPECT_EQ(attaches_.size(), 2u);
  EXPECT_EQ(detaches_.size(), 1u);
}

// The driver may not be back yet when the first detach goes out; its books still have the lease, which would refuse us.
TEST_F(AttachSessionTest, GivesTheOldLeaseBackUntilThatIsAnsweredAndThenAsksAtOnce) {
  auto session = make({.role = Role::producer});
  attach(session);
  session.on_connection_lost();
  session.start(now_);
  pump(session);
  session.on(refusal("client_id already attached"), now_);
  for (int i = 0; i < 5; ++i) {
    run_until_asked(session, attaches_.size() + 1);
    session.on(refusal("producer already attached"), now_);
  }
  ASSERT_GT(detaches_.size(), 2u);
  for (const auto& request : detaches_) {
    EXPECT_EQ(request.lease_id, 100u);
    EXPECT_EQ(request.client_id, attaches_[0].client_id) << "as it was granted, whatever id is asked for now";
  }
  const std::size_t detached = detaches_.size();
  const std::size_t asked = attaches_.size();
  session.on(protocol::ShmDetachResponse{detaches_.back().correlation_id, ResponseCode::ok, {}});
  pump(session);
  EXPECT_EQ(attaches_.size(), asked + 1);
  session.on(ok(101, 2), now_);
  run(session, second);
  EXPECT_EQ(detaches_.size(), detached);
  EXPECT_EQ(session.state(), State::attached);
}

TEST_F(AttachSessionTest, StopsGivingALeaseBackThatHasRunOutByItself) {
  auto session = make({.role = Role::producer});
  attach(session);
  session.on_connection_lost();
  session.start(now_);
  run(session, 20 * second);
  EXPECT_GE(detaches_.size(), 40u);
  EXPECT_LE(detaches_.size(), 51u);
}

TEST_F(AttachSessionTest, IgnoresALowerEpoch) {
  auto session = make({.role = Role::producer});
  session.start(now_);
  pump(session);
  session.on(ok(100, 10), now_);
  session.on_mapped(now_);
  static_cast<void>(session.take_notice());
  session.on_announce(9, now_);
  EXPECT_EQ(session.state(), State::attached);
  EXPECT_FALSE(session.take_notice());
}

TEST_F(AttachSessionTest, DropsABrokenResponseGivesItsLeaseBackAndAsksAgain) {
  auto session = make({});
  session.start(now_);
  pump(session);
  auto broken = ok();
  broken.header_slot_bytes = 128;
  session.on(broken, now_);
  EXPECT_EQ(next_notice(session), NoticeKind::broken);
  EXPECT_EQ(session.state(), State::backoff);
  run_until_asked(session, 2);
  EXPECT_EQ(detaches_.at(0).lease_id, 100u);
  ASSERT_EQ(attaches_.size(), 2u);
  session.on(ok(), now_);
  EXPECT_EQ(next_notice(session), NoticeKind::granted);
}

TEST_F(AttachSessionTest, FailsTheFirstAttachWhenItsRegionsCannotBeMapped) {
  auto session = make({});
  session.start(now_);
  pump(session);
  session.on(ok(), now_);
  EXPECT_EQ(next_notice(session), NoticeKind::granted);
  session.on_mapping_failed({ErrorCode::permission_denied, "no"}, now_);
  EXPECT_EQ(next_notice(session), NoticeKind::failed);
  pump(session);
  EXPECT_EQ(detaches_.size(), 1u);
}

TEST_F(AttachSessionTest, DetachesUntilItIsAnsweredOrTimeIsUp) {
  auto session = make({});
  attach(session);
  session.detach(now_);
  EXPECT_EQ(session.state(), State::detaching);
  run(session, 250 * ms);
  EXPECT_EQ(detaches_.size(), 3u);
  session.on(protocol::ShmDetachResponse{detaches_[0].correlation_id, ResponseCode::ok, {}});
  EXPECT_EQ(next_notice(session), NoticeKind::closed);
  EXPECT_TRUE(session.over());

  auto unanswered = make({});
  attach(unanswered);
  unanswered.detach(now_);
  run(unanswered, 600 * ms);
  EXPECT_TRUE(unanswered.over());
}

TEST_F(AttachSessionTest, GivesBackALeaseThatArrivesWhileItDetaches) {
  auto session = make({});
  session.start(now_);
  pump(session);
  session.detach(now_);
  EXPECT_FALSE(session.over());
  session.on(ok(), now_);
  pump(session);
  ASSERT_EQ(detaches_.size(), 1u);
  EXPECT_EQ(detaches_[0].lease_id, 100u);
}

TEST_F(AttachSessionTest, StartsOverAfterTheConnectionWasLost) {
  auto session = make({.client_id = 9});
  attach(session);
  session.on_connection_lost();
  EXPECT_EQ(session.state(), State::unattached);
  session.start(now_);
  pump(session);
  ASSERT_EQ(detaches_.size(), 1u);
  EXPECT_EQ(attaches_.size(), 2u);
}

}  // namespace
}  // namespace tensorpool::detail
