// A consumer among many streams: it leaves what others send to the shared descriptor stream alone once it knows its
// producer's publication.
#include <gtest/gtest.h>

#include "client/scripted_driver_test.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

class OnePublicationTest : public StreamBench {
 protected:
  static constexpr std::int32_t shared_stream = 1100;

  OnePublicationTest()
      : connection_(transport::Connection::open({.aeron_dir = bus_}).value()),
        stranger_(connection_.add_publication("aeron:ipc", shared_stream).value()) {}

  // A frame each step; what was delivered.
  Seqs flow(int frames, Nanos step = 10 * ms) {
    Seqs taken;
    for (int i = 0; i < frames; ++i) {
      run(client, step);
      publish(producer->stats().next_seq);
      for (const std::uint64_t seq : poll()) taken.push_back(seq);
    }
    return taken;
  }
  // Whether what the stranger sends reaches the consumer.
  bool hears_stranger() {
    const std::uint64_t before = consumer->stats().malformed;
    const std::array<std::byte, 8> nonsense{};
    stranger_.offer(nonsense);
    poll();
    return consumer->stats().malformed != before;
  }
  // Tells of a frame as its producer would.
  void forge(std::uint64_t seq) {
    protocol::DescriptorBytes bytes;
    protocol::DescriptorTemplate(5, driver->layout(5).epoch).write(bytes.data(), seq, 1, 1, std::nullopt);
    stranger_.offer(bytes);
  }

  // Frame 0 is there, and the stranger was the one who told of it.
  void attach_by_a_strangers_word() {
    attach();
    transport::loopback::drop_next(bus_, shared_stream, 2);
    publish(0);
    forge(0);  // dropped likewise
    forge(0);
  }

  transport::Connection connection_;
  transport::Publication stranger_;
};

TEST_F(OnePublicationTest, ReadsItsProducersAloneAndLosesNothing) {
  attach();
  EXPECT_TRUE(hears_stranger());
  const Seqs taken = flow(50);
  EXPECT_EQ(taken.size(), 50u);
  expect_consecutive(taken);
  EXPECT_FALSE(hears_stranger());
  EXPECT_EQ(flow(50).size(), 50u);
  EXPECT_EQ(consumer->stats().lost_total(), 0u);
  expect_balance(consumer->stats());
}

TEST_F(OnePublicationTest, ChangesOverWhileFramesWaitToBeRead) {
  attach({}, {.skip_threshold = 100});
  Seqs taken;
  for (int i = 0; i < 50; ++i) {
    run(client, 10 * ms);
    publish(producer->stats().next_seq);
    if (i % 4 != 3) continue;
    for (const std::uint64_t seq : poll(*consumer, i % 8 == 3 ? 3 : 100)) taken.push_back(seq);
  }
  for (const std::uint64_t seq : poll()) taken.push_back(seq);
  EXPECT_FALSE(hears_stranger());
  EXPECT_EQ(taken.size(), 50u);
  expect_consecutive(taken);
}

TEST_F(OnePublicationTest, ReadsTheSharedStreamUntilAnotherProducerIsThere) {
  stranger_ = {};
  attach();
  EXPECT_EQ(flow(50).size(), 50u);
  stranger_ = connection_.add_publication("aeron:ipc", shared_stream).value();
  client.do_work(tick());
  EXPECT_TRUE(hears_stranger());
  EXPECT_EQ(flow(5).size(), 5u);
  EXPECT_FALSE(hears_stranger());
}

TEST_F(OnePublicationTest, FollowsItsProducerToAnotherEpochAndPublication) {
  attach();
  EXPECT_EQ(flow(20).size(), 20u);
  EXPECT_FALSE(hears_stranger());
  producer.reset();
  run(client, 100 * ms);
  auto again = client.attach_producer({.stream_id = 5});
  ASSERT_TRUE(again);
  producer.emplace(*std::move(again));
  const Seqs taken = flow(50);
  ASSERT_FALSE(taken.empty());
  EXPECT_EQ(taken.back(), 49u);
  expect_consecutive(taken);
  EXPECT_FALSE(hears_stranger()) << "and leaves the others alone again";
  expect_balance(consumer->stats());
}

TEST_F(OnePublicationTest, ComesBackAfterTheConnectionWasLost) {
  attach();
  EXPECT_EQ(flow(20).size(), 20u);
  transport::loopback::kill_media_driver(bus_);
  run(client, 100 * ms);
  transport::loopback::start_media_driver(bus_);
  driver->connect();
  run(client, 3 * nanos_per_second);
  const Seqs taken = flow(50);
  ASSERT_FALSE(taken.empty());
  EXPECT_GE(taken.size(), 49u);
  expect_balance(consumer->stats());
}

// Whoever tells of a frame before its producer does is taken for it.
TEST_F(OnePublicationTest, FindsBackToItsProducerWhenAStrangerToldOfItsFirstFrame) {
  attach_by_a_strangers_word();
  EXPECT_EQ(poll(), (Seqs{0}));
  const Seqs taken = flow(500);
  ASSERT_FALSE(taken.empty());
  EXPECT_EQ(taken.back(), 500u) << "in the end its frames come";
  EXPECT_GE(taken.size(), 200u);
  EXPECT_TRUE(hears_stranger()) << "it stays on the shared stream in this epoch";
  expect_balance(consumer->stats());
}

// Its frames are found in the ring meanwhile, which is no reason to stay.
TEST_F(OnePublicationTest, FindsBackAlsoWhereItPollsAllTheTime) {
  attach_by_a_strangers_word();
  Seqs taken = poll();
  for (int i = 0; i < 500; ++i) {
    run(client, 10 * ms);
    publish(producer->stats().next_seq);
    for (int polls = 0; polls < 200; ++polls) {
      for (const std::uint64_t seq : poll()) taken.push_back(seq);
    }
  }
  EXPECT_EQ(taken.size(), 501u);
  expect_consecutive(taken);
  EXPECT_TRUE(hears_stranger()) << "it stays on the shared stream in this epoch";
  EXPECT_LT(consumer->stats().unannounced, 300u);
  expect_balance(consumer->stats());
}

}  // namespace
}  // namespace tensorpool::detail
