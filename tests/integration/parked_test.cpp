// A consumer that sleeps in the kernel until a producer in another process wakes it, on real Aeron.
#include <sys/resource.h>

#include "support/need.hpp"
#include "support/rig.hpp"

namespace tensorpool {
namespace {

class ParkedConsumer : public RigTest {
 protected:
  // Half a second of frames at the highest rate here: a busy machine may be late, and nothing is lost.
  void SetUp() override { rig({.nslots = 256}).start(); }

  // Frames that were taken until `enough` were, or a wait ran out.
  static int take(Consumer& consumer, int enough) {
    int taken = 0;
    while (taken < enough && consumer.wait(watchdog.count() * nanos_per_second)) {
      taken += consumer.poll([](const Frame&) {});
    }
    return taken;
  }
  // How often this thread went to sleep.
  static long sleeps() {
    rusage used{};
    ::getrusage(RUSAGE_THREAD, &used);
    return used.ru_nvcsw;
  }
};

// Naps of 50 us would be 200 a frame.
TEST_F(ParkedConsumer, SleepsOncePerFrameUnderAProducerThatWakes) {
  const auto producer = rig().spawn_producer({"rate=100", "wake=1"});
  Client client = rig().connect("parked");
  Consumer consumer = need(client.attach_consumer({.stream_id = Rig::stream}));
  ASSERT_GT(take(consumer, 20), 0);
  const long before = sleeps();
  const int taken = take(consumer, 100);
  EXPECT_GE(taken, 100);
  EXPECT_LT(sleeps() - before, 10 * taken);
  EXPECT_EQ(consumer.stats().lost_total(), 0u);
}

TEST_F(ParkedConsumer, NapsUnderAProducerThatDoesNot) {
  const auto producer = rig().spawn_producer({"rate=500"});
  Client client = rig().connect("napping");
  Consumer consumer = need(client.attach_consumer({.stream_id = Rig::stream}));
  EXPECT_GE(take(consumer, 200), 200);
  EXPECT_EQ(consumer.stats().lost_total(), 0u);
}

TEST_F(ParkedConsumer, GoesOnWithTheProducersSuccessor) {
  auto producer = rig().spawn_producer({"rate=100", "wake=1"});
  Client client = rig().connect("parked");
  Consumer consumer = need(client.attach_consumer({.stream_id = Rig::stream}));
  ASSERT_GE(take(consumer, 20), 20);
  const std::uint64_t epoch = consumer.stats().epoch;
  producer->kill();
  ASSERT_TRUE(eventually([&] { return rig().driver_status().counts.expirations == 1; })) << "the lease did not expire";
  const auto successor = rig().spawn_producer({"rate=100", "wake=1"});
  for (int taken = 1; taken > 0 && consumer.stats().epoch == epoch;) taken = take(consumer, 1);
  EXPECT_GE(take(consumer, 20), 20);
  EXPECT_GT(consumer.stats().epoch, epoch);
}

TEST_F(ParkedConsumer, EndsItsWaitInTimeWhenTheMediaDriverIsGone) {
  auto producer = rig().spawn_producer({"rate=100", "wake=1"});
  Client client = rig().connect("parked");
  Consumer consumer = need(client.attach_consumer({.stream_id = Rig::stream}));
  ASSERT_GE(take(consumer, 20), 20);
  producer->kill();
  rig().stop_driver();
  rig().stop_media();
  const Stopwatch stopwatch;
  while (consumer.wait(200 * nanos_per_milli)) consumer.poll([](const Frame&) {});
  EXPECT_LT(stopwatch.ms(), generous_ms(200));
}

}  // namespace
}  // namespace tensorpool
