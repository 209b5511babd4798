// A session that holds a lease: how it is kept, lost, given back and asked for again.
#include "client/attach_session_bench_test.hpp"

namespace tensorpool::detail {
namespace {

class LeaseOfASession : public AttachSessionBench {};

TEST_F(LeaseOfASession, KeepsTheLeaseAliveAndRetriesWhatCouldNotBeSent) {
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

TEST_F(LeaseOfASession, SendsOneKeepaliveAtATime) {
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

TEST_F(LeaseOfASession, GoesOnWithKeepalivesUntilARevokeArrives) {
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

TEST_F(LeaseOfASession, GivesTheLeaseUpWhenItHasExpiredForCertain) {
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

TEST_F(LeaseOfASession, ReattachesAfterARevokeWithTheOriginalModeAndANewQuestion) {
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

TEST_F(LeaseOfASession, IgnoresRevokesOfOtherLeases) {
  auto session = make({.client_id = 9});
  attach(session);
  using protocol::LeaseRevokeReason;
  session.on(protocol::ShmLeaseRevoked{0, 101, 5, 9, Role::consumer, LeaseRevokeReason::revoked, {}}, now_);
  session.on(protocol::ShmLeaseRevoked{0, 100, 6, 9, Role::consumer, LeaseRevokeReason::revoked, {}}, now_);
  session.on(protocol::ShmLeaseRevoked{0, 100, 5, 8, Role::consumer, LeaseRevokeReason::revoked, {}}, now_);
  session.on(protocol::ShmLeaseRevoked{0, 100, 5, 9, Role::producer, LeaseRevokeReason::revoked, {}}, now_);
  EXPECT_EQ(session.state(), State::attached);
}

TEST_F(LeaseOfASession, EndsOnAShutdownNoticeButNotOnAReplayedOne) {
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

TEST_F(LeaseOfASession, AsksAPausedDriverWithoutGivingItsLeaseUp) {
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

TEST_F(LeaseOfASession, WritesOnForOneGraceBeyondTheDeadlineOfASilentDriver) {
  auto session = make({.role = Role::producer});
  attach(session);
  run(session, 5900 * ms);
  EXPECT_EQ(next_notice(session), NoticeKind::driver_silent);
  EXPECT_EQ(session.state(), State::attached);
  run(session, 200 * ms);
  EXPECT_EQ(next_notice(session), NoticeKind::lost);
  EXPECT_NE(session.state(), State::attached);
}

TEST_F(LeaseOfASession, TakesTheLeaseOfADriverThatCameBackWithoutMemory) {
  auto session = make({.role = Role::producer});
  attach(session);
  run(session, 3500 * ms);
  EXPECT_EQ(next_notice(session), NoticeKind::driver_silent);
  session.on_announce(2, now_);  // its announce overtakes its response
  session.on(ok(200, 3), now_);
  EXPECT_EQ(next_notice(session), NoticeKind::granted);
  EXPECT_EQ(session.state(), State::attached);
}

TEST_F(LeaseOfASession, LearnsByItsKeepaliveWhetherANewEpochsDriverKnowsAConsumer) {
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

TEST_F(LeaseOfASession, StaysWithItsDriverWhenAHigherEpochIsAnnouncedThatNobodyCanMap) {
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

TEST_F(LeaseOfASession, AsksByAKeepaliveWhenItsProducersEpochIsOvertaken) {
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

TEST_F(LeaseOfASession, DetachesTheOldLeaseBeforeItAsksForANewOne) {
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

TEST_F(LeaseOfASession, GivesTheOldLeaseBackUntilThatIsAnsweredAndThenAsksAtOnce) {
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

TEST_F(LeaseOfASession, StopsGivingALeaseBackThatHasRunOutByItself) {
  auto session = make({.role = Role::producer});
  attach(session);
  session.on_connection_lost();
  session.start(now_);
  run(session, 20 * second);
  EXPECT_GE(detaches_.size(), 40u);
  EXPECT_LE(detaches_.size(), 51u);
}

// The driver says both, in an order that differs between drivers.
TEST_F(LeaseOfASession, AsksAtOnceWhenTheLeaseThatItGaveBackHasEnded) {
  for (const bool revoke_first : {true, false}) {
    auto session = make({.role = Role::producer, .client_id = 9});
    attach(session);
    session.on_announce(2, now_);
    now_ += 1600 * ms;
    session.on_announce(2, now_);  // the epoch is another's, so the lease is given back
    ASSERT_EQ(next_notice(session), NoticeKind::lost);
    pump(session);
    ASSERT_FALSE(detaches_.empty());
    const std::size_t asked = attaches_.size();
    const protocol::ShmDetachResponse response{detaches_.back().correlation_id, ResponseCode::ok, {}};
    const protocol::ShmLeaseRevoked revoked{0, 100, 5, 9, Role::producer, protocol::LeaseRevokeReason::detached, {}};
    if (revoke_first) session.on(revoked, now_);
    session.on(response);
    if (!revoke_first) session.on(revoked, now_);
    EXPECT_NE(next_notice(session), NoticeKind::lost) << "the lease was given up before";
    if (asked == attaches_.size()) pump(session);
    EXPECT_GT(attaches_.size(), asked) << (revoke_first ? "revoke first" : "response first");
    session.on(ok(200, 3), now_);
    EXPECT_EQ(next_notice(session), NoticeKind::granted);
    session.on_mapped(now_);
    detaches_.clear();
    session.detach(now_);
    pump(session);
    ASSERT_EQ(detaches_.size(), 1U);
    const protocol::ShmDetachResponse last{detaches_[0].correlation_id, ResponseCode::ok, {}};
    const protocol::ShmLeaseRevoked end{0, 200, 5, 9, Role::producer, protocol::LeaseRevokeReason::detached, {}};
    if (revoke_first) session.on(end, now_);
    session.on(last);
    if (!revoke_first) session.on(end, now_);
    EXPECT_EQ(next_notice(session), NoticeKind::closed);
    EXPECT_FALSE(next_notice(session));
  }
}

TEST_F(LeaseOfASession, IgnoresALowerEpoch) {
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

// The lease that it may have been granted meanwhile is its own.
TEST_F(LeaseOfASession, RepeatsAnOpenQuestionUnderItsIdWhenTheConnectionIsBack) {
  auto session = make({.role = Role::producer});
  session.start(now_);
  pump(session);
  session.on_connection_lost();
  session.start(now_);
  pump(session);
  ASSERT_EQ(attaches_.size(), 2u);
  EXPECT_EQ(attaches_[0].correlation_id, attaches_[1].correlation_id);
  EXPECT_EQ(attaches_[0].client_id, attaches_[1].client_id);
  session.on(ok(), now_);
  EXPECT_EQ(next_notice(session), NoticeKind::granted);
}

TEST_F(LeaseOfASession, StartsOverAfterTheConnectionWasLost) {
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
