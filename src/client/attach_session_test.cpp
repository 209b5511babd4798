#include <set>

#include "client/attach_session_bench_test.hpp"

namespace tensorpool::detail {
namespace {

class AttachSessionTest : public AttachSessionBench {};

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

TEST_F(AttachSessionTest, AsksOnForAWhileWhereAKilledPredecessorMayHoldThePlace) {
  auto session = make({.role = Role::producer, .predecessor_ns = 5 * second});
  session.start(now_);
  pump(session);
  session.on(refusal("producer already attached"), now_);
  ASSERT_EQ(next_notice(session), NoticeKind::refused);
  EXPECT_NE(text_.find("producer already attached"), std::string::npos) << text_;
  EXPECT_NE(text_.find("5000 ms"), std::string::npos) << text_;
  for (std::size_t asked = 2; asked <= 4; ++asked) {
    run_until_asked(session, asked);
    session.on(refusal("producer already attached"), now_);
    EXPECT_FALSE(next_notice(session)) << "said once";
  }
  run_until_asked(session, 5);
  session.on(ok(), now_);
  EXPECT_EQ(next_notice(session), NoticeKind::granted);
}

TEST_F(AttachSessionTest, TakesARefusalForFinalWhenTheHolderIsAlive) {
  for (const char* text : {"producer already attached", "client_id already attached"}) {
    auto session = make({.role = Role::producer, .client_id = 7, .predecessor_ns = 5 * second});
    const bool by_id = std::string_view(text).starts_with("client_id");
    const ShmLeaseKeepalive of_holder{33, by_id ? 8U : 5U, by_id ? 7U : 9U, by_id ? Role::consumer : Role::producer, 0};
    session.start(now_);
    const Nanos begun = now_;
    for (int i = 0; i < 100 && !session.over(); ++i) {
      const std::size_t asked = attaches_.size();
      run_until_asked(session, asked + 1);
      session.on(of_holder, now_);
      session.on(refusal(text), now_);
    }
    EXPECT_EQ(next_notice(session), NoticeKind::refused) << text;
    EXPECT_EQ(next_notice(session), NoticeKind::failed) << text;
    EXPECT_EQ(code_, ErrorCode::refused);
    EXPECT_NE(text_.find(by_id ? "by client 7, which is alive" : "by client 9, which is alive"), std::string::npos)
        << text_;
    EXPECT_NE(text_.find("`tp driver leases`"), std::string::npos) << text_;
    EXPECT_GE(now_ - begun, 5 * second) << text;
    EXPECT_LE(now_ - begun, 8 * second) << text;
  }
}

// The lease of a driver that is configured for long ones.
TEST_F(AttachSessionTest, AsksOnBeyondThatTimeWhileTheHolderIsSilent) {
  auto session = make({.role = Role::producer, .predecessor_ns = 5 * second});
  session.start(now_);
  for (const Nanos end = now_ + 20 * second; now_ < end;) {
    run_until_asked(session, attaches_.size() + 1);
    session.on(refusal("producer already attached"), now_);
    session.on(ShmLeaseKeepalive{33, 6, 9, Role::producer, 0}, now_);  // another stream's
    session.on(ShmLeaseKeepalive{34, 5, 9, Role::consumer, 0}, now_);  // a reader's
    ASSERT_FALSE(session.over());
  }
  run_until_asked(session, attaches_.size() + 1);
  session.on(ok(), now_);
  EXPECT_EQ(next_notice(session), NoticeKind::refused);
  EXPECT_EQ(next_notice(session), NoticeKind::granted);
}

TEST_F(AttachSessionTest, AsksAtOnceWhenThePredecessorsLeaseEnds) {
  auto session = make({.role = Role::producer, .predecessor_ns = 5 * second});
  session.start(now_);
  for (std::size_t asked = 1; asked <= 5; ++asked) {  // until the pauses are long
    run_until_asked(session, asked);
    session.on(refusal("producer already attached"), now_);
  }
  session.on(protocol::ShmLeaseRevoked{0, 33, 5, 9, Role::producer, protocol::LeaseRevokeReason::expired, {}}, now_);
  pump(session);
  EXPECT_EQ(attaches_.size(), 6U);
}

TEST_F(AttachSessionTest, NamesTheRemedyOfARefusal) {
  struct Case {
    const char* refusal;
    bool create;
    const char* remedy;
  };
  for (const Case& one : {Case{"stream not provisioned", false, "`.create = true` (tp: --create)"},
                          Case{"stream not provisioned", true, "policies.allow_dynamic_streams"},
                          Case{"producer already attached", false, "stop the other one"},
                          Case{"client_id already attached", false, "use another id"},
                          Case{"layout_version mismatch", false, "Expect layout version 0"},
                          Case{"node_id unavailable", false, "Ask for another node id"}}) {
    auto session = make({.role = Role::producer, .client_id = 7, .create = one.create});
    session.start(now_);
    pump(session);
    session.on(refusal(one.refusal), now_);
    EXPECT_EQ(next_notice(session), NoticeKind::failed) << one.refusal;
    EXPECT_NE(text_.find(std::string(one.refusal) + " (REJECTED)"), std::string::npos) << text_;
    EXPECT_NE(text_.find(one.remedy), std::string::npos) << text_;
  }
}

TEST_F(AttachSessionTest, SaysTheRefusalThatItMetWhenItsTimeIsOver) {
  for (const char* text : {"producer already attached", "driver draining", "unknown lease"}) {
    auto session = make({.role = Role::producer, .attach_timeout_ns = 2 * second, .predecessor_ns = 5 * second});
    session.start(now_);
    for (const Nanos end = now_ + 3 * second; now_ < end && !session.over();) {
      const std::size_t asked = attaches_.size();
      run(session, 10 * ms);
      if (attaches_.size() > asked) session.on(refusal(text), now_);
    }
    EXPECT_EQ(next_notice(session), NoticeKind::refused) << text << " is not told while it waits";
    EXPECT_NE(text_.find(text), std::string::npos) << text_;
    EXPECT_EQ(next_notice(session), NoticeKind::failed) << text;
    EXPECT_EQ(code_, ErrorCode::timed_out);
    EXPECT_NE(text_.find(fmt::format("no attachment within 2000 ms; last answer: {} (REJECTED)", text)),
              std::string::npos)
        << text_;
    EXPECT_NE(session.likely_reason().find("The driver did answer"), std::string::npos) << session.likely_reason();
  }
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

TEST_F(AttachSessionTest, AsksAnewWhenTheLeaseRanOutBeforeItsGrantWasHeard) {
  auto session = make({});
  session.start(now_);
  run(session, 3100 * ms);
  session.on(refusal("unknown lease"), now_);
  const std::size_t asked = attaches_.size();
  run_until_asked(session, asked + 1);
  EXPECT_NE(attaches_.back().correlation_id, attaches_.front().correlation_id);
  session.on(ok(), now_);
  EXPECT_EQ(next_notice(session), NoticeKind::refused);
  EXPECT_EQ(next_notice(session), NoticeKind::granted);
}

TEST_F(AttachSessionTest, TriesAgainWhenAnAddTimedOut) {
  auto session = make({.attach_timeout_ns = 5 * second});
  session.start(now_);
  pump(session);
  session.on(ok(), now_);
  EXPECT_EQ(next_notice(session), NoticeKind::granted);
  session.on_mapping_failed({ErrorCode::timed_out, "too busy"}, now_);
  EXPECT_FALSE(next_notice(session));
  run_until_asked(session, 2);
  session.on(ok(200), now_);
  EXPECT_EQ(next_notice(session), NoticeKind::granted);
  session.on_mapping_failed({ErrorCode::timed_out, "too busy"}, now_);
  run(session, 5 * second);
  EXPECT_EQ(next_notice(session), NoticeKind::failed);
  EXPECT_EQ(code_, ErrorCode::timed_out);
  EXPECT_NE(text_.find("too busy"), std::string::npos) << text_;
}

TEST_F(AttachSessionTest, TriesAgainWhenTheMediaDriverWasLostBeforeItsGrantCouldBeUsed) {
  auto session = make({});
  session.start(now_);
  pump(session);
  session.on(ok(), now_);
  EXPECT_EQ(next_notice(session), NoticeKind::granted);
  session.on_mapping_failed({ErrorCode::unavailable, "the connection is closed"}, now_);
  session.on_connection_lost();
  EXPECT_FALSE(next_notice(session));
  session.start(now_);
  run_until_asked(session, 2);
  session.on(ok(200), now_);
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

// Nothing was in the way that the answer to the detach could have removed.
TEST_F(AttachSessionTest, AsksEverMoreRarelyForRegionsThatCannotBeMapped) {
  auto session = make({});
  attach(session);
  session.on_mapping_failed({ErrorCode::io_error, "truncated"}, now_);
  const std::size_t before = attaches_.size();
  std::size_t answered_attaches = before;
  std::size_t answered_detaches = 0;
  for (const Nanos end = now_ + 20 * second; now_ < end; now_ += 10 * ms) {
    pump(session);
    for (; answered_detaches < detaches_.size(); ++answered_detaches) {
      session.on(protocol::ShmDetachResponse{detaches_[answered_detaches].correlation_id, ResponseCode::ok, {}});
    }
    if (answered_attaches == attaches_.size()) continue;
    answered_attaches = attaches_.size();
    session.on(ok(100 + answered_attaches), now_);
    ASSERT_EQ(next_notice(session), NoticeKind::granted);
    session.on_mapping_failed({ErrorCode::io_error, "truncated"}, now_);
  }
  EXPECT_GE(attaches_.size() - before, 10U);  // every 2 s at the latest
  EXPECT_LE(attaches_.size() - before, 25U);  // every second, after the first few
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

}  // namespace
}  // namespace tensorpool::detail
