// What a consumer is told when its producer ends, or goes on without a frame.
#include <gtest/gtest.h>

#include "client/scripted_driver_test.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

class ConsumerSilence : public StreamBench {
 protected:
  // A frame now and then, for so long.
  void publish_for(Nanos duration) {
    for (const Nanos end = now + duration; now < end;) {
      ASSERT_TRUE(is_committed(publish(producer->stats().next_seq)));
      run(client, second / 4);
    }
  }
};

TEST_F(ConsumerSilence, IsToldHowItsProducerEnded) {
  attach({.client_id = 7});
  for (const auto& [sent, told] : {std::pair{protocol::LeaseRevokeReason::detached, EndReason::detached},
                                   std::pair{protocol::LeaseRevokeReason::expired, EndReason::expired},
                                   std::pair{protocol::LeaseRevokeReason::revoked, EndReason::revoked}}) {
    events.clear();
    const std::uint64_t epoch = driver->layout(5).epoch;
    driver->revoke(driver->lease_of(protocol::Role::producer), sent);
    run(client, 10 * ms);
    ASSERT_EQ(count(EventKind::producer_gone), 1);
    const Event& event = *last(EventKind::producer_gone);
    EXPECT_EQ(event.reason, told);
    EXPECT_EQ(event.producer_id, 7U);
    EXPECT_EQ(event.epoch, epoch);
    EXPECT_EQ(event.stream_id, 5U);
    EXPECT_EQ(event.client_id, consumer->client_id());
    run(client, second);  // the producer attaches again
    EXPECT_EQ(count(EventKind::producer_gone), 1);
    EXPECT_TRUE(producer->attached());
    EXPECT_EQ(last(EventKind::revoked)->reason, told) << "so is the producer itself";
    EXPECT_EQ(last(EventKind::revoked)->epoch, epoch);
  }
}

TEST_F(ConsumerSilence, IsToldOfADetachOfAProducer) {
  attach({.client_id = 7});
  producer.reset();
  run(client, 10 * ms);
  ASSERT_EQ(count(EventKind::producer_gone), 1);
  EXPECT_EQ(last(EventKind::producer_gone)->reason, EndReason::detached);
}

TEST_F(ConsumerSilence, IsReportedOnceWithWhoAndSinceWhen) {
  attach({.client_id = 7});
  publish_for(8 * second);
  EXPECT_EQ(count(EventKind::no_frames), 0);
  const std::uint64_t newest = producer->stats().next_seq - 1;
  run(client, 20 * second);
  ASSERT_EQ(count(EventKind::no_frames), 1);
  const Event event = *last(EventKind::no_frames);
  EXPECT_EQ(event.producer_id, 7U);
  EXPECT_EQ(event.last_seq, newest);
  EXPECT_EQ(event.epoch, consumer->stats().epoch);
  EXPECT_GE(event.silent_ns, 5 * second);
  EXPECT_LE(event.silent_ns, 7 * second);
  EXPECT_NE(event.message.find("its producer 7 is attached, and publishes nothing"), std::string::npos)
      << event.message;
  EXPECT_EQ(consumer->stats().no_frames, 1U);
  EXPECT_EQ(count(EventKind::frames_resumed), 0);
  publish_for(2 * second);
  ASSERT_EQ(count(EventKind::frames_resumed), 1);
  EXPECT_GE(last(EventKind::frames_resumed)->silent_ns, 20 * second);
  run(client, 10 * second);
  EXPECT_EQ(count(EventKind::no_frames), 2) << "the next silence is told again";
}

TEST_F(ConsumerSilence, IsNotThatOfAnApplicationThatDoesNotPoll) {
  attach();
  publish_for(20 * second);
  EXPECT_EQ(count(EventKind::no_frames), 0);
  EXPECT_EQ(consumer->stats().delivered, 0U);
}

TEST_F(ConsumerSilence, IsNotThatOfAConsumerWhoseLimitsLetNothingPass) {
  attach({}, {.max_rate_hz = 1, .decimation = 1000});
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(is_committed(publish(static_cast<std::uint64_t>(i))));
    run(client, second / 2);
    poll();
  }
  EXPECT_EQ(count(EventKind::no_frames), 0);
}

TEST_F(ConsumerSilence, IsReportedOfAStreamThatHasNoProducer) {
  auto reading = client.attach_consumer({.stream_id = 5, .create = true});
  ASSERT_TRUE(reading) << reading.error().message;
  run(client, 10 * second);
  ASSERT_EQ(count(EventKind::no_frames), 1);
  EXPECT_EQ(last(EventKind::no_frames)->producer_id, 0U);
  EXPECT_EQ(last(EventKind::no_frames)->last_seq, std::nullopt);
  EXPECT_NE(last(EventKind::no_frames)->message.find("it has no producer"), std::string::npos);
  auto writing = client.attach_producer({.stream_id = 5});
  ASSERT_TRUE(writing);
  producer.emplace(*std::move(writing));
  publish_for(3 * second);
  EXPECT_EQ(count(EventKind::frames_resumed), 1);
}

TEST_F(ConsumerSilence, GoesOnOverTheNextEpoch) {
  attach();
  publish_for(3 * second);
  run(client, 8 * second);
  ASSERT_EQ(count(EventKind::no_frames), 1);
  driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::expired);
  run(client, 10 * second);
  ASSERT_TRUE(producer->attached());
  EXPECT_EQ(count(EventKind::no_frames), 1);
  EXPECT_EQ(count(EventKind::frames_resumed), 0);
  publish_for(2 * second);
  EXPECT_EQ(count(EventKind::frames_resumed), 1);
}

TEST_F(ConsumerSilence, IsReportedAfterTheTimeThatWasAskedFor) {
  attach({}, {.no_frames_timeout_ns = 0});
  run(client, 60 * second);
  EXPECT_EQ(count(EventKind::no_frames), 0);
  Consumer patient = join({.no_frames_timeout_ns = 30 * second});
  run(client, 28 * second);
  EXPECT_EQ(count(EventKind::no_frames), 0);
  run(client, 5 * second);
  EXPECT_EQ(count(EventKind::no_frames), 1);
  EXPECT_FALSE(client.attach_consumer({.stream_id = 5, .no_frames_timeout_ns = -1}));
}

}  // namespace
}  // namespace tensorpool::detail
