#include "client/stream_watch.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

using protocol::Mode;
using protocol::Role;

class Watch : public testing::Test {
 protected:
  // The clock goes on in steps of the QoS interval, `each` runs at each of them.
  template <class F>
  void run(Nanos duration, F&& each) {
    for (const Nanos end = now + duration; now < end;) {
      now += second / 2;
      each();
      watch.check(now);
      collect();
    }
  }
  void run(Nanos duration) {
    run(duration, [] {});
  }
  void collect() {
    for (auto& event : watch.take_events()) events.push_back(std::move(event));
  }

  void announce(std::uint64_t epoch, std::uint32_t producer, std::uint32_t stream = 5) {
    protocol::ShmPoolAnnounce message;
    message.stream_id = stream;
    message.producer_id = producer;
    message.epoch = epoch;
    message.header_nslots = 8;
    message.payload_pools = {{1, 8, 4096, "shm:file?path=/x"}};
    watch.on(message, now);
  }
  void produce(std::uint64_t epoch, std::uint64_t seq, std::uint32_t id = 7) {
    watch.on(protocol::QosProducer{5, id, epoch, seq, {}}, now);
  }
  void consume(std::uint64_t epoch, std::uint64_t seq, std::uint64_t gap = 0, std::uint64_t late = 0,
               std::uint32_t id = 9) {
    watch.on(protocol::QosConsumer{5, id, epoch, seq, gap, late, Mode::stream}, now);
  }
  void keepalive(Role role, std::uint32_t id, std::uint64_t lease) {
    watch.on(protocol::ShmLeaseKeepalive{lease, 5, id, role, 0}, now);
  }
  void revoke(Role role, std::uint32_t id, std::uint64_t lease,
              protocol::LeaseRevokeReason reason = protocol::LeaseRevokeReason::expired) {
    watch.on(protocol::ShmLeaseRevoked{0, lease, 5, id, role, reason, {}}, now);
  }
  std::ptrdiff_t count(MonitorEventKind kind) {
    collect();
    return std::count_if(events.begin(), events.end(), [kind](const auto& event) { return event.kind == kind; });
  }
  std::string last_message() {
    collect();
    return events.empty() ? "" : events.back().message;
  }
  ProducerView producer() { return watch.snapshot(now).producers.at(0); }
  ConsumerView consumer() { return watch.snapshot(now).consumers.at(0); }

  [[nodiscard]] const MonitorEvent* last(MonitorEventKind kind) {
    collect();
    const auto found =
        std::find_if(events.rbegin(), events.rend(), [kind](const auto& event) { return event.kind == kind; });
    return found == events.rend() ? nullptr : &*found;
  }

  StreamWatch watch{{.no_frames_timeout_ns = 5 * second,
                     .no_frames_timeouts = {{6, 20 * second}, {8, 0}},
                     .max_streams = 4,
                     .max_clients = 4,
                     .events_per_second = 20}};
  Nanos now = 1000 * second;
  std::vector<MonitorEvent> events;
};

TEST_F(Watch, TellsTheRateOfAProducer) {
  std::uint64_t seq = 0;
  run(3 * second, [&] { produce(1, seq += 15); });
  EXPECT_DOUBLE_EQ(producer().frames_per_s, 30);
  EXPECT_EQ(producer().current_seq, seq);
  EXPECT_EQ(count(MonitorEventKind::producer_appeared), 1);
}

TEST_F(Watch, TellsWhatAConsumerGotAndNotWhatItLost) {
  std::uint64_t seq = 0;
  std::uint64_t lost = 0;
  run(3 * second, [&] { consume(1, seq += 15, lost += 5); });
  EXPECT_DOUBLE_EQ(consumer().frames_per_s, 20);
  EXPECT_EQ(consumer().drops_gap, lost);
}

TEST_F(Watch, StartsARateAnewWithAnEpoch) {
  produce(1, 1'000'000);
  now += second;
  produce(2, 10);
  EXPECT_DOUBLE_EQ(producer().frames_per_s, 0);
  now += second;
  produce(2, 40);
  EXPECT_DOUBLE_EQ(producer().frames_per_s, 30);
  EXPECT_EQ(watch.snapshot(now).counts.implausible, 0U);
}

TEST_F(Watch, TakesTheLagFromTheProducerOfTheSameEpoch) {
  announce(3, 7);
  produce(3, 100);
  consume(3, 90);
  EXPECT_EQ(consumer().lag_frames, 10U);
  consume(3, 105);  // the producer's figure is older
  EXPECT_EQ(consumer().lag_frames, 0U);
  announce(4, 7);
  consume(3, 106);
  EXPECT_EQ(consumer().lag_frames, std::nullopt);
}

TEST_F(Watch, TakesLagRateAndLatencyFromDescriptors) {
  announce(3, 7);
  produce(3, 1);
  for (std::uint64_t seq = 0; seq < 200; ++seq) {
    now += 10 * nanos_per_milli;
    const Nanos late = (seq % 2 == 0 ? 1 : 3) * nanos_per_milli;
    watch.on(protocol::FrameDescriptor{5, 3, seq, static_cast<std::uint64_t>(now - late), {}, {}}, now);
  }
  consume(3, 190);
  EXPECT_EQ(consumer().lag_frames, 9U);
  const StreamView stream = watch.snapshot(now).streams.at(0);
  EXPECT_NEAR(stream.frames_per_s.value_or(0), 100, 0.01);
  EXPECT_EQ(stream.latency_least_ns, nanos_per_milli);
  EXPECT_EQ(stream.latency_most_ns, 3 * nanos_per_milli);
}

TEST_F(Watch, IgnoresTimestampsOfAnotherClock) {
  announce(3, 7);
  watch.on(protocol::FrameDescriptor{5, 3, 1, ~std::uint64_t{1}, {}, {}}, now);
  watch.on(protocol::FrameDescriptor{5, 3, 2, 1, {}, {}}, now);
  watch.on(protocol::FrameDescriptor{5, 3, 3, {}, {}, {}}, now);
  EXPECT_EQ(watch.snapshot(now).streams.at(0).latency_least_ns, std::nullopt);
}

TEST_F(Watch, CallsWhoIsSilentStaleThenGoneAndForgetsHim) {
  produce(1, 1);
  run(3 * second);
  EXPECT_EQ(producer().liveness, Liveness::stale);
  run(2 * second);
  EXPECT_EQ(count(MonitorEventKind::producer_gone), 0);
  run(second);
  EXPECT_EQ(producer().liveness, Liveness::gone);
  EXPECT_EQ(count(MonitorEventKind::producer_stale), 1);
  EXPECT_EQ(count(MonitorEventKind::producer_gone), 1);
  EXPECT_EQ(last_message(), "producer 7 of stream 5 is gone: nothing heard for 5.5 s");
  run(30 * second);
  EXPECT_TRUE(watch.snapshot(now).producers.empty());
  EXPECT_EQ(count(MonitorEventKind::producer_gone), 1);
}

TEST_F(Watch, HearsOfAClientAgain) {
  produce(1, 1);
  run(6 * second);
  produce(1, 2);
  EXPECT_EQ(producer().liveness, Liveness::alive);
  EXPECT_EQ(last_message(), "producer 7 of stream 5 is heard of again");
}

TEST_F(Watch, KnowsAtOnceThatALeaseEnded) {
  keepalive(Role::consumer, 9, 77);
  revoke(Role::consumer, 9, 77);
  EXPECT_EQ(consumer().liveness, Liveness::gone);
  EXPECT_EQ(last_message(), "consumer 9 of stream 5 is gone: its lease ended, EXPIRED");
  consume(1, 10);                    // was on its way
  keepalive(Role::consumer, 9, 77);  // so was this
  EXPECT_EQ(consumer().liveness, Liveness::gone);
  keepalive(Role::consumer, 9, 78);
  EXPECT_EQ(consumer().liveness, Liveness::alive);
}

TEST_F(Watch, DoesNotMixUpALeaseWithTheOneBefore) {
  keepalive(Role::producer, 7, 78);
  revoke(Role::producer, 7, 77);
  EXPECT_EQ(producer().liveness, Liveness::alive);
}

TEST_F(Watch, DoesNotTakeTheDriversAnnounceForItsProducersLife) {
  announce(1, 7);
  keepalive(Role::producer, 7, 77);
  run(6 * second, [this] { announce(1, 7); });
  EXPECT_EQ(producer().liveness, Liveness::gone);
}

TEST_F(Watch, TakesTheAnnounceOfAProducerWithoutLeaseForItsLife) {
  run(12 * second, [this] { announce(1, 7); });
  EXPECT_EQ(producer().liveness, Liveness::alive);
  EXPECT_TRUE(producer().confirmed);
}

TEST_F(Watch, TellsOfANewEpoch) {
  announce(1, 7);
  announce(2, 0);
  EXPECT_EQ(last_message(), "stream 5 goes on in epoch 2, without a producer");
  announce(2, 0);
  EXPECT_EQ(count(MonitorEventKind::epoch_changed), 1);
  EXPECT_EQ(watch.snapshot(now).streams.at(0).pool_bytes, 8U * 4096U);
}

TEST_F(Watch, KeepsTheHigherEpochUntilItIsSilent) {
  announce(9, 7);
  announce(2, 7);
  EXPECT_EQ(watch.snapshot(now).streams.at(0).epoch, 9U);
  EXPECT_EQ(watch.snapshot(now).counts.implausible, 1U);
  run(6 * second);
  announce(2, 7);
  EXPECT_EQ(watch.snapshot(now).streams.at(0).epoch, 2U);
}

TEST_F(Watch, CountsFiguresThatGoBackwardsAndKeepsTheirSenderAlive) {
  produce(3, 100);
  produce(3, 50);
  produce(2, 500);
  EXPECT_EQ(producer().current_seq, 100U);
  EXPECT_EQ(watch.snapshot(now).counts.implausible, 2U);
  run(12 * second, [this] { produce(3, 50); });
  EXPECT_EQ(producer().liveness, Liveness::alive);
  EXPECT_EQ(producer().current_seq, 50U) << "nobody upheld the higher figure for a whole time-out";
}

TEST_F(Watch, TellsOfRisingDropsOncePerTimeout) {
  std::uint64_t lost = 100;
  consume(1, 1, lost);
  EXPECT_EQ(count(MonitorEventKind::drops_rising), 0) << "what was lost before is no news";
  run(12 * second, [&] { consume(1, 1, ++lost); });
  EXPECT_EQ(count(MonitorEventKind::drops_rising), 3);
  EXPECT_NE(events.at(1).message.find("consumer 9 of stream 5 lost 1 more frames; in all 101 that"), std::string::npos)
      << events.at(1).message;
}

TEST_F(Watch, NoticesADriverThatFallsSilentSaysGoodbyeAndComesBack) {
  EXPECT_EQ(watch.snapshot(now).driver, DriverState::unknown);
  announce(1, 0);
  run(6 * second);
  EXPECT_EQ(watch.snapshot(now).driver, DriverState::silent);
  announce(1, 0);
  EXPECT_EQ(count(MonitorEventKind::driver_back), 1);
  watch.on(protocol::ShmDriverShutdown{0, protocol::ShutdownReason::admin, {}}, now);
  announce(1, 0);  // its last one, on another stream
  EXPECT_EQ(watch.snapshot(now).driver, DriverState::shut_down);
  now += 3 * second;
  announce(2, 0);
  EXPECT_EQ(watch.snapshot(now).driver, DriverState::alive);
  EXPECT_EQ(count(MonitorEventKind::driver_silent), 1);
  EXPECT_EQ(count(MonitorEventKind::driver_shutdown), 1);
  EXPECT_EQ(count(MonitorEventKind::driver_back), 2);
}

TEST_F(Watch, TellsOnceOfAProducerWithoutFramesAndWhenTheyFlowAgain) {
  keepalive(Role::producer, 7, 77);
  std::uint64_t seq = 0;
  run(8 * second, [&] { produce(3, ++seq); });
  EXPECT_EQ(count(MonitorEventKind::no_frames), 0);
  run(20 * second, [&] { produce(3, seq); });
  ASSERT_EQ(count(MonitorEventKind::no_frames), 1);
  const MonitorEvent told = *last(MonitorEventKind::no_frames);
  EXPECT_EQ(told.stream_id, 5U);
  EXPECT_EQ(told.client_id, 7U);
  EXPECT_EQ(told.epoch, 3U);
  EXPECT_EQ(told.last_seq, seq);
  EXPECT_EQ(told.silent_ns, 5 * second);
  EXPECT_TRUE(is_alert(told));
  EXPECT_TRUE(producer().frames_missing);
  EXPECT_EQ(producer().no_frames_ns, 20 * second);
  EXPECT_EQ(producer().liveness, Liveness::alive);
  produce(3, ++seq);
  ASSERT_EQ(count(MonitorEventKind::frames_resumed), 1);
  EXPECT_FALSE(is_alert(*last(MonitorEventKind::frames_resumed)));
  EXPECT_FALSE(producer().frames_missing);
}

TEST_F(Watch, CountsTheTimeWithoutFramesFromTheAttach) {
  keepalive(Role::producer, 7, 77);
  run(8 * second, [&] { produce(3, 0); });
  EXPECT_EQ(count(MonitorEventKind::no_frames), 1);
  watch.on_figures({{.role = Role::producer, .stream_id = 5, .client_id = 7, .published = 0}}, now);
  produce(3, 0);
  watch.on_figures({{.role = Role::producer, .stream_id = 5, .client_id = 7, .published = 1}}, now);
  EXPECT_EQ(count(MonitorEventKind::frames_resumed), 1) << "sequence 0 is a frame now, as the counters say";
}

// As of a camera whose images all come incomplete: each takes a sequence, and is given up.
TEST_F(Watch, TellsOfAProducerWhoseSequencesGoOnWithoutFrames) {
  keepalive(Role::producer, 7, 77);
  std::uint64_t seq = 0;
  std::uint64_t published = 0;
  const auto report = [&] {
    produce(3, ++seq);
    watch.on_figures({{.role = Role::producer, .stream_id = 5, .client_id = 7, .published = published}}, now);
  };
  run(8 * second, [&] {
    ++published;
    report();
  });
  EXPECT_EQ(count(MonitorEventKind::no_frames), 0);
  run(8 * second, report);
  EXPECT_EQ(count(MonitorEventKind::no_frames), 1);
  ++published;
  run(second, report);
  EXPECT_EQ(count(MonitorEventKind::frames_resumed), 1);
  run(20 * second, [&] { produce(3, ++seq); });
  EXPECT_EQ(count(MonitorEventKind::no_frames), 1) << "without counters its sequences must do";
}

// A client with a long QoS interval writes its counters as seldom.
TEST_F(Watch, DoesNotTakeCountersThatAreSeldomWrittenForSilence) {
  keepalive(Role::producer, 7, 77);
  std::uint64_t written = 0;
  int step = 0;
  run(120 * second, [&] {
    keepalive(Role::producer, 7, 77);
    watch.on_figures({{.role = Role::producer, .stream_id = 5, .client_id = 7, .published = written}}, now);
    if (++step % 20 != 0) return;
    produce(3, written += 100);
  });
  EXPECT_EQ(count(MonitorEventKind::no_frames), 0);
}

// A pause between two QoS messages says nothing about frames.
TEST_F(Watch, JudgesFramesByQosAlone) {
  keepalive(Role::producer, 7, 77);
  produce(3, 1);
  run(30 * second, [&] { keepalive(Role::producer, 7, 77); });
  EXPECT_EQ(count(MonitorEventKind::no_frames), 0);
  produce(3, 2);
  EXPECT_EQ(count(MonitorEventKind::no_frames), 0);
}

TEST_F(Watch, GivesEachStreamItsOwnTimeWithoutFrames) {
  for (const std::uint32_t stream : {5U, 6U, 8U}) {
    watch.on(protocol::ShmLeaseKeepalive{stream, stream, 7, Role::producer, 0}, now);
  }
  const auto quiet = [&] {
    for (const std::uint32_t stream : {5U, 6U, 8U}) watch.on(protocol::QosProducer{stream, 7, 1, 1, {}}, now);
  };
  run(10 * second, quiet);
  EXPECT_EQ(count(MonitorEventKind::no_frames), 1);
  run(15 * second, quiet);
  ASSERT_EQ(count(MonitorEventKind::no_frames), 2);
  EXPECT_EQ(last(MonitorEventKind::no_frames)->stream_id, 6U);
  run(600 * second, quiet);
  EXPECT_EQ(count(MonitorEventKind::no_frames), 2) << "0 switches it off";
}

TEST_F(Watch, EndsASilenceWithTheProducer) {
  keepalive(Role::producer, 7, 77);
  run(8 * second, [&] { produce(3, 1); });
  EXPECT_EQ(count(MonitorEventKind::no_frames), 1);
  revoke(Role::producer, 7, 77);
  EXPECT_FALSE(producer().frames_missing);
  now += 3 * second;
  keepalive(Role::producer, 7, 78);
  run(4 * second, [&] { produce(4, 0); });
  EXPECT_EQ(count(MonitorEventKind::no_frames), 1);
  EXPECT_EQ(count(MonitorEventKind::frames_resumed), 0);
  run(4 * second, [&] { produce(4, 0); });
  EXPECT_EQ(count(MonitorEventKind::no_frames), 2);
}

TEST_F(Watch, KeepsASilenceOverTheNextEpochOfAProducerThatStays) {
  keepalive(Role::producer, 7, 77);
  run(8 * second, [&] { produce(3, 9); });
  run(8 * second, [&] { produce(4, 0); });
  EXPECT_EQ(count(MonitorEventKind::no_frames), 1);
  EXPECT_EQ(count(MonitorEventKind::frames_resumed), 0);
  produce(4, 1);
  EXPECT_EQ(count(MonitorEventKind::frames_resumed), 1);
}

TEST_F(Watch, BlamesNoProducerThatOnlyQosSpeaksFor) {
  run(20 * second, [&] { produce(3, 1, 1234); });
  EXPECT_EQ(count(MonitorEventKind::no_frames), 0);
}

TEST_F(Watch, TakesADetachForNoAlert) {
  for (const Role role : {Role::producer, Role::consumer}) {
    const auto gone = role == Role::producer ? MonitorEventKind::producer_gone : MonitorEventKind::consumer_gone;
    keepalive(role, 7, 77);
    revoke(role, 7, 77, protocol::LeaseRevokeReason::detached);
    ASSERT_TRUE(last(gone));
    EXPECT_EQ(last(gone)->reason, EndReason::detached);
    EXPECT_FALSE(is_alert(*last(gone)));
    for (const auto reason : {protocol::LeaseRevokeReason::expired, protocol::LeaseRevokeReason::revoked}) {
      now += 3 * second;
      keepalive(role, 7, 78 + static_cast<std::uint64_t>(reason));
      revoke(role, 7, 78 + static_cast<std::uint64_t>(reason), reason);
      EXPECT_TRUE(is_alert(*last(gone))) << to_string(last(gone)->reason);
    }
    now += 3 * second;
    keepalive(role, 7, 99);
    run(10 * second);
    EXPECT_EQ(last(gone)->reason, EndReason::unknown);
    EXPECT_TRUE(is_alert(*last(gone))) << "it fell silent";
  }
}

TEST_F(Watch, BlamesNobodyForTheTimeWithoutAMediaDriver) {
  produce(1, 1);
  announce(1, 7);
  now += 20 * second;
  watch.on_reconnected(now);
  run(2 * second);
  EXPECT_EQ(producer().liveness, Liveness::alive);
  EXPECT_EQ(watch.snapshot(now).counts.reconnects, 1U);
}

TEST_F(Watch, HoldsAFloodOfMadeUpClientsInBounds) {
  keepalive(Role::consumer, 9, 77);
  for (std::uint32_t id = 1000; id < 100'000; ++id) {
    consume(1, 1, 0, 0, id);
    watch.on(protocol::ConsumerHello{.stream_id = 5, .consumer_id = id}, now);
    announce(1, 0, id);
  }
  collect();
  const MonitorSnapshot taken = watch.snapshot(now);
  EXPECT_EQ(taken.consumers.size(), 4U);
  EXPECT_EQ(taken.streams.size(), 4U);
  EXPECT_LE(events.size(), 20U);
  EXPECT_EQ(taken.counts.untracked, 2U * (99'000 - 3) + 99'000 - 4);
  EXPECT_TRUE(taken.consumers.front().confirmed) << "who has a lease stays";
}

// Descriptors come at once, announces once a period.
TEST_F(Watch, TakesAStreamThatIsNotAnnouncedYetForNoneTooMany) {
  watch.on(protocol::FrameDescriptor{.stream_id = 5, .epoch = 1, .seq = 1}, now);
  EXPECT_EQ(watch.snapshot(now).counts.untracked, 0U);
  for (std::uint32_t stream = 11; stream <= 14; ++stream) announce(1, 0, stream);
  watch.on(protocol::FrameDescriptor{.stream_id = 5, .epoch = 1, .seq = 2}, now);
  EXPECT_EQ(watch.snapshot(now).counts.untracked, 1U) << "now there is no room";
}

TEST_F(Watch, GivesWhoHasALeaseThePlaceOfWhoHasNone) {
  for (std::uint32_t id = 1; id <= 4; ++id) produce(1, 1, 100 + id);
  keepalive(Role::producer, 7, 77);
  EXPECT_EQ(producer().producer_id, 7U);
  EXPECT_EQ(watch.snapshot(now).producers.size(), 4U);
  for (std::uint32_t id = 1; id <= 4; ++id) keepalive(Role::producer, 10 + id, id);
  EXPECT_EQ(watch.snapshot(now).counts.untracked, 1U) << "all places are taken by leases";
}

TEST_F(Watch, CountsEventsBeyondItsLimit) {
  for (int round = 0; round < 30; ++round) {
    keepalive(Role::producer, 7, 100 + static_cast<std::uint64_t>(round));
    revoke(Role::producer, 7, 100 + static_cast<std::uint64_t>(round));
  }
  collect();
  EXPECT_EQ(events.size(), 20U);
  EXPECT_EQ(watch.snapshot(now).counts.events_suppressed, 40U);
  now += second;
  announce(1, 0);
  announce(2, 0);
  collect();
  EXPECT_EQ(events.size(), 21U);
}

TEST_F(Watch, ShowsTheLeaseThatTheCountersTellOf) {
  const protocol::LeaseLabel label{1000, 77, 5, 7, Role::producer, static_cast<std::uint64_t>(now - 60 * second)};
  watch.on_leases({{label, 12, now + 3 * second}}, now);
  ASSERT_TRUE(producer().lease);
  EXPECT_EQ(producer().lease->age_ns, 60 * second);
  EXPECT_EQ(producer().lease->expires_in_ns, 3 * second);
  EXPECT_EQ(producer().lease->keepalives, 12U);
  EXPECT_TRUE(producer().confirmed);
  watch.on_leases({}, now);
  EXPECT_FALSE(producer().lease);
}

TEST_F(Watch, SurvivesALeaseLabelFullOfNonsense) {
  const protocol::LeaseLabel label{1000, 77, 5, 7, Role::producer, ~std::uint64_t{0}};
  watch.on_leases({{label, ~std::uint64_t{0}, std::numeric_limits<std::int64_t>::min()}}, now);
  EXPECT_EQ(producer().lease->age_ns, 0);
  EXPECT_LT(producer().lease->expires_in_ns, 0);
}

TEST_F(Watch, ShowsBytesAndCausesOfLossOfKnownClients) {
  produce(1, 1);
  consume(1, 1);
  std::uint64_t bytes = 1000;
  for (int i = 0; i < 4; ++i) {
    now += second;
    bytes += 5'000'000;
    watch.on_figures({{.role = Role::producer, .stream_id = 5, .client_id = 7, .bytes = bytes},
                      {.role = Role::producer, .stream_id = 5, .client_id = 8, .bytes = bytes}},
                     now);
  }
  EXPECT_DOUBLE_EQ(producer().bytes_per_s.value_or(0), 5e6);
  watch.on_figures({{.role = Role::consumer,
                     .stream_id = 5,
                     .client_id = 9,
                     .lost = std::array<std::uint64_t, loss_causes>{1, 2, 3}}},
                   now);
  EXPECT_EQ(consumer().lost.value_or(std::array<std::uint64_t, loss_causes>{})[1], 2U);
  watch.on_figures({{.role = Role::producer, .stream_id = 5, .client_id = 7, .bytes = 10}},
                   now);  // the same id in a new life
  EXPECT_DOUBLE_EQ(producer().bytes_per_s.value_or(-1), 0);
  EXPECT_EQ(watch.snapshot(now).producers.size(), 1U);
}

TEST_F(Watch, TellsTheBytesOfConsumersAndStreamsUntilTheyFallSilent) {
  announce(1, 7);
  std::uint64_t bytes = 0;
  run(2 * second, [&] {
    produce(1, 1);
    consume(1, 1);
    bytes += 1'000'000;
    watch.on_figures({{.role = Role::producer, .stream_id = 5, .client_id = 7, .bytes = bytes},
                      {.role = Role::consumer, .stream_id = 5, .client_id = 9, .bytes = bytes / 2}},
                     now);
  });
  EXPECT_DOUBLE_EQ(consumer().bytes_per_s.value_or(0), 1e6);
  EXPECT_DOUBLE_EQ(watch.snapshot(now).streams.at(0).bytes_per_s.value_or(0), 2e6);
  run(10 * second);
  EXPECT_DOUBLE_EQ(consumer().bytes_per_s.value_or(-1), 0);
  EXPECT_DOUBLE_EQ(producer().bytes_per_s.value_or(-1), 0);
}

TEST_F(Watch, TellsHowManyARateLimitedConsumerTakesAndNotHowManyPass) {
  std::uint64_t seq = 0;
  std::uint64_t delivered = 0;
  run(4 * second, [&] {
    consume(1, seq += 25);
    watch.on_figures({{.stream_id = 5, .client_id = 9, .delivered = delivered += 2}}, now);
  });
  EXPECT_DOUBLE_EQ(consumer().frames_per_s, 4);
}

TEST_F(Watch, TellsTheMeanLatencyOfWhatCameSinceTheLastFigures) {
  consume(1, 1);
  const auto figures = [&](std::uint64_t samples, std::uint64_t sum_ns) {
    watch.on_figures({{.stream_id = 5, .client_id = 9, .latency_samples = samples, .latency_sum_ns = sum_ns}}, now);
    return consumer().latency_mean_ns.value_or(-1);
  };
  EXPECT_EQ(figures(0, 0), -1);
  EXPECT_EQ(figures(10, 5000), 500);
  EXPECT_EQ(figures(12, 5200), 100);
  EXPECT_EQ(figures(12, 5200), -1);  // nothing came
  EXPECT_EQ(figures(3, 300), -1);    // the same id in a new life
  EXPECT_EQ(figures(4, 350), 50);
}

TEST_F(Watch, DoesNotTakeAFirstPollForSpeed) {
  consume(1, 0);
  now += second;
  consume(1, 1'000'000);
  now += second;
  consume(1, 1'000'030);
  EXPECT_DOUBLE_EQ(consumer().frames_per_s, 30);
}

TEST(OneStream, IsAllThatIsWatchedIfAskedFor) {
  StreamWatch watch({.stream_id = 5});
  watch.on(protocol::QosProducer{5, 7, 1, 1, {}}, second);
  watch.on(protocol::QosProducer{6, 7, 1, 1, {}}, second);
  watch.on(protocol::QosProducer{0, 7, 1, 1, {}}, second);
  EXPECT_EQ(watch.snapshot(second).producers.size(), 1U);
}

}  // namespace
}  // namespace tensorpool::detail
