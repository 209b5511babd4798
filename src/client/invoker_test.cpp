// A client in the loop of its host: what the host learns when its loop stood still.
#include <gtest/gtest.h>

#include "client/scripted_driver_test.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

class Invoker : public StreamBench {
 protected:
  // The host does something else for so long; the driver goes on.
  void stand_still(Nanos duration) {
    for (const Nanos end = now + duration; now < end;) tick();
  }
};

TEST_F(Invoker, LeaseLivesThroughAStallShorterThanItsGrace) {
  attach();
  run(client, 100 * ms);
  const auto attaches = driver->attaches.size();
  stand_still(2 * second);
  run(client, 5 * second);
  ASSERT_EQ(count(EventKind::stalled), 1);
  EXPECT_NE(last(EventKind::stalled)->message.find("no lease ran out"), std::string::npos)
      << last(EventKind::stalled)->message;
  EXPECT_EQ(count(EventKind::revoked), 0);
  EXPECT_EQ(count(EventKind::driver_silent), 0);
  EXPECT_EQ(driver->attaches.size(), attaches);
  EXPECT_EQ(publish(0), PublishStatus::ok);
}

TEST_F(Invoker, TellsAfterALongerStallWhatRanOutAndAttachesAnew) {
  attach();
  run(client, 100 * ms);
  stand_still(3200 * ms);
  driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::expired);
  driver->revoke(driver->lease_of(protocol::Role::consumer), protocol::LeaseRevokeReason::expired);
  stand_still(second);
  run(client, 5 * second);
  ASSERT_EQ(count(EventKind::stalled), 1);
  EXPECT_NE(last(EventKind::stalled)->message.find("a lease of stream 5 ran out"), std::string::npos)
      << last(EventKind::stalled)->message;
  EXPECT_EQ(events.front().kind, EventKind::attached);
  EXPECT_EQ(count(EventKind::revoked), 2);
  EXPECT_EQ(count(EventKind::attached), 4);  // both again
  EXPECT_EQ(publish(0), PublishStatus::ok);
  poll();
  expect_balance(consumer->stats());
}

TEST_F(Invoker, ShortPausesAreNoStall) {
  attach();
  for (int i = 0; i < 10; ++i) {
    stand_still(900 * ms);
    client.do_work(now);
  }
  EXPECT_EQ(count(EventKind::stalled), 0);
  EXPECT_EQ(count(EventKind::revoked), 0);
}

}  // namespace
}  // namespace tensorpool::detail
