// Frames whose descriptors were dropped, and behind which nothing comes: they are in the ring all the same.
#include <gtest/gtest.h>

#include "client/consumer_bench_test.hpp"

namespace tensorpool::detail {
namespace {

class UnannouncedTest : public ConsumerBench {
 protected:
  // Frames [from, to) of which nobody tells.
  void publish_untold(std::uint64_t from, std::uint64_t to) {
    transport::loopback::drop_next(bus_, descriptor_stream, static_cast<int>(to - from));
    for (std::uint64_t seq = from; seq < to; ++seq) publish(seq);
  }
  // All that so many polls bring.
  Seqs poll_often(int polls = 200) {
    Seqs taken;
    for (int i = 0; i < polls; ++i) {
      for (const std::uint64_t seq : poll()) taken.push_back(seq);
    }
    return taken;
  }
};

TEST_F(UnannouncedTest, FramesAreTakenFromTheRingOnceNothingComesBehindThem) {
  attach();
  publish(0);
  EXPECT_EQ(poll(), Seqs{0});
  publish_untold(1, 4);
  EXPECT_EQ(poll_often(64), Seqs{}) << "their descriptors may be on their way";
  EXPECT_EQ(poll_often(), (Seqs{1, 2, 3}));
  EXPECT_EQ(consumer->stats().unannounced, 3u);
  publish(4);
  EXPECT_EQ(poll(), Seqs{4});
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
  expect_balance(consumer->stats());
}

TEST_F(UnannouncedTest, FramesEndAWaitToo) {
  attach({.wake_consumers = true});
  publish(0);
  EXPECT_EQ(poll(), Seqs{0});
  publish_untold(1, 2);
  Seqs taken;
  for (int i = 0; i < 10 && taken.empty(); ++i) {
    consumer->wait(second);
    taken = poll();
  }
  EXPECT_EQ(taken, Seqs{1});
  EXPECT_FALSE(consumer->wait(2 * ms));
}

TEST_F(UnannouncedTest, FramesBehindAnOpenClaimWaitForIt) {
  attach();
  publish(0);
  EXPECT_EQ(poll(), Seqs{0});
  auto open = claim();
  publish(2);
  EXPECT_EQ(poll_often(1000), Seqs{});
  commit(std::move(open));
  EXPECT_EQ(poll(), (Seqs{1, 2}));
  EXPECT_EQ(consumer->stats().unannounced, 0u);
}

TEST_F(UnannouncedTest, FramesOfMoreThanALapAreSkippedLikeOthers) {
  attach();
  publish(0);
  EXPECT_EQ(poll(), Seqs{0});
  const std::uint64_t nslots = driver->layout(5).nslots;
  publish_untold(1, 3 * nslots);
  const Seqs taken = poll_often();
  ASSERT_FALSE(taken.empty());
  EXPECT_EQ(taken.back(), 3 * nslots - 1);
  EXPECT_EQ(consumer->stats().unannounced, taken.size());
  EXPECT_EQ(consumer->stats().delivered + consumer->stats().lost_total(), 3 * nslots);
  expect_balance(consumer->stats());
}

TEST_F(UnannouncedTest, DescriptorThatComesAfterAllIsNoNews) {
  attach();
  publish(0);
  EXPECT_EQ(poll(), Seqs{0});
  publish_untold(1, 2);
  EXPECT_EQ(poll_often(), Seqs{1});
  inject_descriptor(driver->layout(5).epoch, 1);
  EXPECT_EQ(poll_often(), Seqs{});
  publish(2);
  EXPECT_EQ(poll(), Seqs{2});
  expect_balance(consumer->stats());
}

TEST_F(UnannouncedTest, NothingIsTakenBeforeTheStreamWasHeardOnce) {
  attach({}, {.start = StartAt::next});
  publish_untold(0, 2);
  EXPECT_EQ(poll_often(1000), Seqs{});
  publish(2);
  EXPECT_EQ(poll(), Seqs{2});
}

}  // namespace
}  // namespace tensorpool::detail
