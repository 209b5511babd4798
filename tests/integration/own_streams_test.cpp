// Consumers with descriptor streams of their own beside one without, on real Aeron: who is killed leaves nothing
// behind, who finds the range used up reads the shared stream, and everybody's books balance.
#include <thread>

#include "apps/flow/pattern.hpp"
#include "support/rig.hpp"

namespace tensorpool {
namespace {

class OwnStreams : public RigTest {
 protected:
  // One frame, and a look by everybody.
  void step(Producer& producer, std::vector<Consumer*> readers) {
    publish_pattern(producer, 1000);
    for (Consumer* reader : readers) reader->poll([this](const Frame& frame) { check(frame); });
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  void check(const Frame& frame) {
    std::vector<std::byte> copy(frame.size_bytes());
    if (frame.copy_to(copy)) wrong_ += apps::find_pattern_fault(copy, frame.seq()) ? 1U : 0U;
  }
  std::uint64_t wrong_ = 0;
};

bool has_own_stream(const Consumer& consumer) { return consumer.terms().descriptor_stream_id != 0; }

void expect_balance(const ConsumerStats& stats) {
  EXPECT_EQ(stats.accounted, stats.delivered + stats.abandoned + stats.lost_total());
  EXPECT_EQ(stats.accounted, stats.last_seq - stats.first_seq + 1);
  EXPECT_EQ(stats.malformed, 0U);
}

TEST_F(OwnStreams, BalanceWhileANeighbourIsKilledAndComesBack) {
  rig({.nslots = 64, .own_stream_range = "31000-31001"}).start();
  EventLog events;
  Client sender = rig().connect("sender");
  Client receiver = rig().connect("receiver", &events);
  auto producer = sender.attach_producer({.stream_id = Rig::stream});
  ASSERT_TRUE(producer) << producer.error().message;
  auto paced =
      receiver.attach_consumer({.stream_id = Rig::stream, .client_id = 1000, .max_rate_hz = 50, .own_streams = true});
  auto shared = receiver.attach_consumer({.stream_id = Rig::stream, .start = StartAt::oldest});
  ASSERT_TRUE(paced && shared);
  const std::vector<Consumer*> readers{&*paced, &*shared};
  const auto flows_until = [&](auto condition) {
    return eventually([&] { return step(*producer, readers), condition(); });
  };
  EXPECT_TRUE(flows_until([&] { return has_own_stream(*paced); })) << events.text();

  auto neighbour = rig().spawn_consumer({"own=1"});
  EXPECT_TRUE(flows_until([&] { return neighbour->said("descriptor stream 31001 of its own"); }))
      << neighbour->output();
  auto late = receiver.attach_consumer({.stream_id = Rig::stream, .own_streams = true});
  ASSERT_TRUE(late);
  EXPECT_TRUE(flows_until([&] { return events.heard(EventKind::configured, "stays on the shared one"); }));
  const std::uint64_t before = late->stats().delivered;
  EXPECT_TRUE(flows_until([&] { return late->poll([](const Frame&) {}), late->stats().delivered > before + 20; }));
  EXPECT_FALSE(has_own_stream(*late));
  expect_balance(late->stats());

  neighbour->kill();  // its lease expires, and with it its claim to the stream
  EXPECT_TRUE(flows_until([&] { return late->poll([](const Frame&) {}), has_own_stream(*late); })) << events.text();
  EXPECT_EQ(late->terms().descriptor_stream_id, 31001U);
  { const auto gone = std::move(*late); }
  neighbour = rig().spawn_consumer({"own=1"});
  EXPECT_TRUE(flows_until([&] { return neighbour->said("descriptor stream 31001 of its own"); }))
      << neighbour->output();
  const std::uint64_t come_back = neighbour->value("delivered");
  EXPECT_TRUE(flows_until([&] { return neighbour->value("delivered") > come_back + 100; })) << neighbour->output();

  const std::uint64_t end = producer->stats().next_seq;
  EXPECT_TRUE(eventually([&] {
    for (Consumer* reader : readers) reader->poll([this](const Frame& frame) { check(frame); });
    return shared->stats().last_seq + 1 == end;
  }));
  expect_balance(shared->stats());
  expect_balance(paced->stats());
  EXPECT_GT(paced->stats()[LossCause::rate_limited], 0U);
  EXPECT_EQ(producer->stats().descriptors_dropped, 0U);
  EXPECT_EQ(wrong_, 0U);
  neighbour->close_input();
  EXPECT_EQ(neighbour->wait(), 0) << neighbour->output();
  EXPECT_EQ(neighbour->value("bad") + neighbour->value("disorder"), 0U);
  EXPECT_EQ(neighbour->value("accounted"),
            neighbour->value("delivered") + neighbour->value("abandoned") + neighbour->value("lost"));
}

}  // namespace
}  // namespace tensorpool
