// Slots whose commit word is ahead of their content, as a faulty or hostile writer of the ring leaves them.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "client/consumer_bench_test.hpp"

namespace tensorpool::detail {
namespace {

class StaleSlotTest : public ConsumerBench {
 protected:
  static constexpr std::uint64_t nslots = 64;
  StaleSlotTest() : ConsumerBench({.nslots = nslots}) {}

  PublishStatus publish_at(std::uint64_t seq, Nanos stamp) {
    return producer->publish(TensorLayout::raw_bytes(100), pattern(100, seq), {.timestamp_ns = stamp});
  }
  static Nanos stamp_of(std::uint64_t seq) { return second + static_cast<Nanos>(seq) * ms; }
  // Publishes [from, to) and reads each.
  template <class Stamp>
  void flow(std::uint64_t from, std::uint64_t to, Stamp&& stamp) {
    for (std::uint64_t seq = from; seq < to; ++seq) {
      publish_at(seq, stamp(seq));
      ASSERT_EQ(poll(), Seqs{seq});
    }
  }
  void flow(std::uint64_t from, std::uint64_t to) {
    flow(from, to, [](std::uint64_t seq) { return stamp_of(seq); });
  }
  // Writes the committed word of `seq` over whatever its slot holds.
  void declare(std::uint64_t seq) {
    if (!regions_)
      regions_ = shm::RegionSet::map(driver->layout(5), shm::Access::read_write, shm::PathPolicy{{dir.path()}}).value();
    *regions_->header_words(seq % nslots) = protocol::committed_word(seq);
  }
  Seqs poll_often(int polls = 400) {
    Seqs taken;
    for (int i = 0; i < polls; ++i) {
      for (const std::uint64_t seq : poll()) taken.push_back(seq);
    }
    return taken;
  }
  void inject_stamped(std::uint64_t seq, std::optional<std::uint64_t> stamp) {
    protocol::FrameDescriptor descriptor;
    descriptor.stream_id = 5;
    descriptor.epoch = producer->stats().epoch;
    descriptor.seq = seq;
    descriptor.timestamp_ns = stamp;
    std::vector<std::byte> bytes(protocol::encoded_length(descriptor));
    ASSERT_NE(protocol::encode(descriptor, std::span(bytes)), 0u);
    inject(bytes);
  }

  std::unique_ptr<shm::RegionSet> regions_;
};

TEST_F(StaleSlotTest, IsNotDeliveredAndTheRealFrameIs) {
  attach();
  flow(0, 93);
  declare(93);
  EXPECT_EQ(poll_often(), Seqs{}) << "frame 29 lies there";
  EXPECT_EQ(consumer->stats().stale_seen, 1u);
  EXPECT_EQ(consumer->stats().unannounced, 0u);
  flow(93, 200);
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
  EXPECT_EQ(consumer->stats().delivered, 200u);
  expect_balance(consumer->stats());
}

TEST_F(StaleSlotTest, IsNotDeliveredBehindADescriptorEither) {
  attach();
  flow(0, 93);
  declare(93);
  inject_descriptor(producer->stats().epoch, 93);
  EXPECT_EQ(poll_often(), Seqs{});
  inject_stamped(93, static_cast<std::uint64_t>(stamp_of(93)));
  EXPECT_EQ(poll_often(), Seqs{});
  flow(93, 200);
  EXPECT_EQ(consumer->stats().stale_seen, 1u);
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
  expect_balance(consumer->stats());
}

TEST_F(StaleSlotTest, FarAheadOfTheStreamHidesNoFrame) {
  attach();
  flow(0, 93);
  declare(93 + 3 * nslots);
  EXPECT_EQ(poll_often(), Seqs{});
  flow(93, 200);
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
  expect_balance(consumer->stats());
}

TEST_F(StaleSlotTest, IsTakenFromTheRingOnceTheRealFrameIsThereWithoutADescriptor) {
  attach();
  flow(0, 93);
  declare(93);
  EXPECT_EQ(poll_often(), Seqs{});
  transport::loopback::drop_next(bus_, descriptor_stream, 1);
  publish_at(93, stamp_of(93));
  EXPECT_EQ(poll_often(), Seqs{93});
  EXPECT_EQ(consumer->stats().unannounced, 1u);
  expect_balance(consumer->stats());
}

TEST_F(StaleSlotTest, EndsNoWaitForLong) {
  attach();
  flow(0, 93);
  declare(93);
  EXPECT_EQ(poll_often(), Seqs{});
  EXPECT_FALSE(consumer->wait(5 * ms));
  publish_at(93, stamp_of(93));
  EXPECT_TRUE(consumer->wait(second));
  EXPECT_EQ(poll(), Seqs{93});
}

TEST_F(StaleSlotTest, OfAFrameThatNeverComesIsLostByItsOwnCause) {
  attach();
  flow(0, 93);
  declare(93);
  EXPECT_EQ(poll_often(), Seqs{});
  { auto given_up = claim(); }
  declare(93);  // the faulty writer takes it for written
  publish_at(94, stamp_of(94));
  EXPECT_EQ(poll_often(), Seqs{94});
  EXPECT_EQ(consumer->stats()[LossCause::stale], 1u);
  EXPECT_EQ(consumer->stats().lost_total(), 1u);
  expect_balance(consumer->stats());
}

TEST_F(StaleSlotTest, LosesNothingOfAStreamWhoseStampsStandStill) {
  attach();
  flow(0, 300, [](std::uint64_t) { return 7 * second; });
  EXPECT_EQ(consumer->stats().stale_seen, 0u);
  EXPECT_EQ(consumer->stats().delivered, 300u);
}

TEST_F(StaleSlotTest, LosesNothingOfAStreamWhoseStampsGoBackEachLap) {
  attach();
  flow(0, 300, [](std::uint64_t seq) { return stamp_of(seq % nslots); });
  EXPECT_EQ(consumer->stats().stale_seen, 0u);
  EXPECT_EQ(consumer->stats().delivered, 300u);
}

TEST_F(StaleSlotTest, LosesNothingOfAStreamWhoseStampsGoBackwards) {
  attach();
  flow(0, 300, [](std::uint64_t seq) { return stamp_of(1000 - seq); });
  EXPECT_EQ(consumer->stats().delivered, 300u);
}

}  // namespace
}  // namespace tensorpool::detail
