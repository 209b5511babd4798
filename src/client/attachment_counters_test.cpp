#include "client/attachment_counters.hpp"

#include "client/scripted_driver_test.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

class AttachmentCountersTest : public StreamBench {
 protected:
  std::vector<transport::CounterValue> counters() { return transport::read_counters(bus_).value(); }
  // What the counters of `role` show, by figure.
  std::map<std::string, std::int64_t> shown(protocol::Role role) {
    std::map<std::string, std::int64_t> figures;
    for (const transport::CounterValue& counter : counters()) {
      const auto label = parse_counter_label(counter.label);
      if (label && label->owner.role == role) figures[std::string(label->figure)] = counter.value;
    }
    return figures;
  }
};

TEST(CounterLabel, IsReadAsItWasWritten) {
  const CounterOwner owner{1000, protocol::Role::consumer, 4294967295, 1001};
  const std::string label = to_label(owner, "lost gap");
  EXPECT_EQ(label, "tensorpool 1000, consumer 4294967295 stream 1001: lost gap");
  const auto read = parse_counter_label(label);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->owner, owner);
  EXPECT_EQ(read->figure, "lost gap");
}

TEST(CounterLabel, OfSomethingElseIsNotRead) {
  for (const char* label : {"", "tensorpool", "tensorpool 1000, driver driver-01: detaches",
                            "tensorpool 1000, lease: stream 1 producer client 7: keepalives",
                            "tensorpool 1000, producer 7 stream 1: ", "tensorpool 1000, producer -7 stream 1: bytes",
                            "tensorpool 99999999999, producer 7 stream 1: bytes",
                            "tensorpool 01000, producer 7 stream 1: bytes", "snd-pos: 17 4 1100 aeron:ipc"}) {
    EXPECT_FALSE(parse_counter_label(label)) << label;
  }
}

TEST_F(AttachmentCountersTest, ShowWhatProducersAndConsumersCount) {
  attach({.client_id = 70}, {.client_id = 71});
  for (std::uint64_t i = 0; i < 3; ++i) publish(i);
  poll();
  const SlotClaim open = claim();
  run(client, 2 * second);
  auto producer_shows = shown(protocol::Role::producer);
  EXPECT_EQ(producer_shows.size(), producer_figures.size());
  EXPECT_EQ(producer_shows["published"], 3);
  EXPECT_EQ(producer_shows["bytes"], 300);
  EXPECT_EQ(producer_shows["claims open"], 1);
  EXPECT_EQ(producer_shows["next sequence"], 4);
  auto consumer_shows = shown(protocol::Role::consumer);
  EXPECT_EQ(consumer_shows.size(), consumer_figure_count);
  EXPECT_EQ(consumer_shows["delivered"], 3);
  EXPECT_EQ(consumer_shows["bytes"], 300);
  EXPECT_EQ(consumer_shows["last sequence"], 2);
  EXPECT_EQ(consumer_shows["epoch"], static_cast<std::int64_t>(consumer->stats().epoch));
  EXPECT_EQ(consumer_shows["lost gap"], 0);
  EXPECT_EQ(consumer_shows["latency samples"], static_cast<std::int64_t>(consumer->stats().latency_samples));
}

TEST_F(AttachmentCountersTest, NameTheAttachmentAndCarryItsTypeIds) {
  attach({.client_id = 70}, {.client_id = 71});
  run(client, second);
  int seen = 0;
  for (const transport::CounterValue& counter : counters()) {
    if (counter.label == "tensorpool 1000, producer 70 stream 5: published") {
      EXPECT_EQ(counter.type_id, first_producer_counter_type);
      ++seen;
    } else if (counter.label == "tensorpool 1000, consumer 71 stream 5: lost gap") {
      EXPECT_EQ(counter.type_id, first_consumer_counter_type + static_cast<std::int32_t>(consumer_figures.size()));
      ++seen;
    }
  }
  EXPECT_EQ(seen, 2);
}

TEST_F(AttachmentCountersTest, GoWithTheirAttachment) {
  attach();
  run(client, second);
  consumer.reset();
  run(client, 100 * ms);
  EXPECT_TRUE(shown(protocol::Role::consumer).empty());
  EXPECT_FALSE(shown(protocol::Role::producer).empty());
}

TEST_F(AttachmentCountersTest, ComeBackWithTheMediaDriver) {
  attach();
  run(client, second);
  publish(0);
  transport::loopback::kill_media_driver(bus_);
  driver->paused = true;
  run(client, 100 * ms);
  transport::loopback::restart_media_driver(bus_);
  driver->connect();
  driver->forget();
  driver->paused = false;
  run(client, 10 * second);
  EXPECT_EQ(shown(protocol::Role::producer)["published"], 1);
}

TEST_F(AttachmentCountersTest, AreNotThereWhenSwitchedOff) {
  ClientOptions silent = options();
  silent.counters = false;
  auto other = Client::connect(silent).value();
  const auto unseen = other.attach_producer({.stream_id = 6});
  ASSERT_TRUE(unseen);
  run(other, 2 * second);
  EXPECT_TRUE(shown(protocol::Role::producer).empty());
}

TEST_F(AttachmentCountersTest, AreBoundedForAClientAndWholeForEachAttachment) {
  std::vector<Producer> producers;
  for (std::uint32_t stream = 100; stream < 160; ++stream) {
    auto attached = client.attach_producer({.stream_id = stream});
    ASSERT_TRUE(attached);
    producers.push_back(*std::move(attached));
  }
  run(client, 3 * second);
  std::size_t shown = 0;
  for (const transport::CounterValue& counter : counters()) {
    shown += parse_counter_label(counter.label) ? 1u : 0u;
  }
  EXPECT_LE(shown, 512u);
  EXPECT_GT(shown, 512u - producer_figures.size());
  EXPECT_EQ(shown % producer_figures.size(), 0u);
}

}  // namespace
}  // namespace tensorpool::detail
