#include "client/producer_watch.hpp"

#include <gtest/gtest.h>

#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

using protocol::LeaseRevokeReason;

class ProducerEnds : public testing::Test {
 protected:
  ProducerEnds() { watch.begin(3); }

  void announce(std::uint64_t epoch, std::uint32_t producer) {
    protocol::ShmPoolAnnounce message;
    message.stream_id = 5;
    message.epoch = epoch;
    message.producer_id = producer;
    watch.on(message, now);
  }
  void revoke(std::uint32_t client, LeaseRevokeReason reason, protocol::Role role = protocol::Role::producer) {
    watch.on(protocol::ShmLeaseRevoked{0, 77, 5, client, role, reason, {}}, now);
  }
  void expect_end(EndReason reason, std::uint32_t producer = 7, std::uint64_t epoch = 3) {
    const auto end = watch.take_end(now);
    ASSERT_TRUE(end);
    EXPECT_EQ(end->producer_id, producer);
    EXPECT_EQ(end->epoch, epoch);
    EXPECT_EQ(end->reason, reason);
    EXPECT_FALSE(watch.take_end(now)) << "reported once";
  }
  [[nodiscard]] bool nothing_ends(Nanos duration) {
    for (const Nanos end = now + duration; now < end; now += second / 10) {
      if (watch.take_end(now)) return false;
    }
    return true;
  }

  ProducerWatch watch{second};
  Nanos now = 1000 * second;
};

TEST_F(ProducerEnds, AreReportedWithTheirReasonOnceTheNextEpochIsAnnounced) {
  for (const auto& [sent, told] : {std::pair{LeaseRevokeReason::detached, EndReason::detached},
                                   std::pair{LeaseRevokeReason::expired, EndReason::expired},
                                   std::pair{LeaseRevokeReason::revoked, EndReason::revoked}}) {
    watch.begin(3);
    announce(3, 7);
    EXPECT_FALSE(watch.take_end(now));
    revoke(7, sent);
    EXPECT_FALSE(watch.take_end(now));
    announce(4, 0);
    expect_end(told);
    EXPECT_EQ(watch.producer_id(), 0U);
  }
}

TEST_F(ProducerEnds, AreReportedWhereTheAnnounceComesFirst) {
  announce(3, 7);
  announce(4, 0);
  EXPECT_FALSE(watch.take_end(now)) << "the reason may be on its way";
  revoke(7, LeaseRevokeReason::expired);
  expect_end(EndReason::expired);
}

TEST_F(ProducerEnds, AreReportedWithoutAReasonThatNeverCame) {
  announce(3, 7);
  announce(4, 0);
  EXPECT_TRUE(nothing_ends(2 * second));
  expect_end(EndReason::unknown);
}

TEST_F(ProducerEnds, AreReportedOfAProducerThatWasNotAnnouncedYet) {
  revoke(7, LeaseRevokeReason::expired);
  announce(4, 0);
  expect_end(EndReason::expired);
}

TEST_F(ProducerEnds, AreReportedWhereTheDriverEndsBeforeItAnnounces) {
  announce(3, 7);
  revoke(7, LeaseRevokeReason::expired);
  EXPECT_TRUE(nothing_ends(2 * second));
  expect_end(EndReason::expired);
  EXPECT_EQ(watch.producer_id(), 0U);
}

TEST_F(ProducerEnds, AreReportedOfOneThatComesBackAtOnce) {
  announce(3, 7);
  revoke(7, LeaseRevokeReason::detached);
  announce(4, 0);
  announce(5, 7);
  expect_end(EndReason::detached);
  EXPECT_EQ(watch.producer_id(), 7U);
  announce(7, 8);  // neither the revoke nor the idle epoch came
  EXPECT_TRUE(nothing_ends(2 * second));
  expect_end(EndReason::unknown, 7, 5);
}

TEST_F(ProducerEnds, AreNotReportedForAForgedRevoke) {
  announce(3, 7);
  revoke(7, LeaseRevokeReason::expired);
  for (int period = 0; period < 5; ++period) {
    now += second;
    announce(3, 7);
    EXPECT_FALSE(watch.take_end(now));
  }
  revoke(8, LeaseRevokeReason::expired);
  revoke(7, LeaseRevokeReason::expired, protocol::Role::consumer);
  EXPECT_TRUE(nothing_ends(5 * second));
  revoke(7, LeaseRevokeReason::detached);
  announce(4, 0);
  expect_end(EndReason::detached);
}

TEST_F(ProducerEnds, AreNotReportedForAnOldEpoch) {
  announce(3, 7);
  announce(2, 0);
  EXPECT_TRUE(nothing_ends(5 * second));
  EXPECT_EQ(watch.producer_id(), 7U);
}

TEST_F(ProducerEnds, AreForgottenWithTheConsumersOwnLease) {
  announce(3, 7);
  announce(4, 0);
  watch.begin(9);
  EXPECT_EQ(watch.producer_id(), std::nullopt);
  EXPECT_TRUE(nothing_ends(5 * second));
}

}  // namespace
}  // namespace tensorpool::detail
