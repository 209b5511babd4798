// Every sequence has one fate: whatever a producer, its consumers and those around them do, what a consumer delivered,
// what was abandoned and each cause of loss add up to what the producer says it wrote.
#include <random>
#include <thread>

#include "apps/flow/pattern.hpp"
#include "support/rig.hpp"

namespace tensorpool {
namespace {

class Balance : public RigTest, public ::testing::WithParamInterface<unsigned> {};

// Publishes, abandons, and fills several claims that end in any order.
void work(Producer& producer, std::minstd_rand& random) {
  const std::size_t bytes = 8 + random() % 4000;
  switch (random() % 8) {
    case 0:
      (void)producer.claim(bytes);  // given up at once
      return;
    case 1: {
      std::vector<SlotClaim> claims;
      for (std::size_t wanted = 1 + random() % 4; claims.size() < wanted;) {
        auto claim = producer.claim(bytes);
        if (!claim) break;
        claims.push_back(std::move(*claim));
      }
      std::shuffle(claims.begin(), claims.end(), random);
      for (SlotClaim& claim : claims) {
        apps::fill_pattern(claim.payload().first(bytes), claim.seq(), apps::Pattern::words);
        if (random() % 4 != 0) std::move(claim).commit(TensorLayout::raw_bytes(static_cast<std::int32_t>(bytes)));
      }
      return;
    }
    default:
      for (auto burst = 1 + random() % 12; burst > 0; --burst) publish_pattern(producer, bytes);
  }
}

struct Reader {
  Consumer consumer;
  std::minstd_rand random;
  std::uint64_t taken = 0;
  std::uint64_t wrong = 0;
  std::uint64_t accounted = 0;  // when the epoch before ended

  void poll() {
    if (random() % 3 == 0) return;
    consumer.poll([this](const Frame& frame) {
      if (random() % 16 == 0) std::this_thread::yield();
      std::vector<std::byte> copy(frame.size_bytes());
      if (!frame.copy_to(copy)) return;
      ++taken;
      wrong += apps::find_pattern_fault(copy, frame.seq()) ? 1U : 0U;
    });
  }
};

TEST_P(Balance, HoldsInEveryEpochByTheProducersFigures) {
  std::minstd_rand random(GetParam());
  rig({.nslots = 16, .period_ms = 1000}).start();
  Client sender = rig().connect("sender");
  Client receiver = rig().connect("receiver");
  std::vector<Reader> readers;
  for (unsigned i = 0; i < 2; ++i) {
    auto consumer = receiver.attach_consumer(
        {.stream_id = Rig::stream, .start = StartAt::oldest, .latest_only = i == 1 && GetParam() % 2 == 0});
    ASSERT_TRUE(consumer) << consumer.error().message;
    readers.push_back({std::move(*consumer), std::minstd_rand(GetParam() + i)});
  }
  std::unique_ptr<Child> bystander;
  for (int epoch = 0; epoch < 3; ++epoch) {
    if (bystander) bystander->kill();
    bystander = rig().spawn_consumer();
    auto producer = sender.attach_producer({.stream_id = Rig::stream, .min_readable_slots = 4});
    ASSERT_TRUE(producer) << producer.error().message;
    for (Reader& reader : readers) {
      publish_pattern(*producer, 100);
      ASSERT_TRUE(eventually([&] { return reader.poll(), reader.consumer.stats().epoch == producer->stats().epoch; }));
    }
    for (int step = 0; step < 600; ++step) {
      work(*producer, random);
      for (Reader& reader : readers) reader.poll();
    }
    publish_pattern(*producer, 100);  // the end is a frame, which tells readers of all before it
    const ProducerStats last_words = producer->stats();
    EXPECT_EQ(last_words.first_seq, 0U);
    EXPECT_EQ(last_words.descriptors_dropped, 0U) << "nobody is a window behind";
    EXPECT_EQ(last_words.published + last_words.abandoned, last_words.next_seq);
    for (Reader& reader : readers) {
      const auto stats = [&] { return reader.consumer.stats(); };
      EXPECT_TRUE(eventually([&] { return reader.poll(), stats().last_seq + 1 == last_words.next_seq; }))
          << stats().last_seq << " of " << last_words.next_seq;
      EXPECT_EQ(stats().accounted, stats().delivered + stats().abandoned + stats().lost_total());
      EXPECT_EQ(stats().accounted - reader.accounted, last_words.next_seq - stats().first_seq);
      EXPECT_LE(stats().first_seq, 1U) << "it was attached before the first frame; the newest of two may be its first";
      reader.accounted = stats().accounted;
      EXPECT_EQ(stats().delivered, reader.taken);
      EXPECT_EQ(stats().malformed, 0U);
      EXPECT_EQ(stats()[LossCause::invalid_header], 0U);
      EXPECT_EQ(reader.wrong, 0U);
    }
    const std::uint64_t ended = last_words.epoch;
    { auto gone = std::move(*producer); }
    ASSERT_TRUE(eventually([&] { return rig().epoch_of(Rig::stream) > ended; }));
  }
  bystander->close_input();
  EXPECT_EQ(bystander->wait(), 0) << bystander->output();
}

INSTANTIATE_TEST_SUITE_P(Seeds, Balance, ::testing::Values(1U, 2U, 3U, 4U));

}  // namespace
}  // namespace tensorpool
