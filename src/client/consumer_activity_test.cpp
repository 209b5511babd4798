// Whether an announced epoch's producer lives is read from its regions, which anybody may have written.
#include <gtest/gtest.h>

#include <limits>

#include "client/scripted_driver_test.hpp"

namespace tensorpool::detail {
namespace {

using ConsumerActivity = StreamBench;

TEST_F(ConsumerActivity, OfAnyTimeButAboutNowIsNoSignOfLife) {
  attach();
  const auto announce_epoch_active_at = [this](Nanos activity) {
    events.clear();
    driver->now = activity;
    const shm::RegionLayout layout = driver->bump(5);
    driver->now = now;
    protocol::ShmPoolAnnounce announce = driver->announce_of(layout);
    announce.producer_id = 77;
    driver->send(announce);
    run(client, 10 * nanos_per_milli);
  };
  for (const Nanos wrong : {now + 60 * nanos_per_second, std::numeric_limits<Nanos>::max(), now - 60 * nanos_per_second,
                            std::numeric_limits<Nanos>::min(), Nanos{0}}) {
    announce_epoch_active_at(wrong);
    ASSERT_EQ(count(EventKind::remapped), 0) << wrong;
    ASSERT_EQ(count(EventKind::mapping_failed), 1) << wrong;
    EXPECT_NE(last(EventKind::mapping_failed)->message.find("no activity"), std::string::npos);
  }
  announce_epoch_active_at(now);
  EXPECT_EQ(count(EventKind::remapped), 1);
}

}  // namespace
}  // namespace tensorpool::detail
