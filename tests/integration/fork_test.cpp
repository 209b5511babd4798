// A process that forks: the child has copies of everything, and its end is the end of nothing.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <optional>

#include "support/need.hpp"
#include "support/rig.hpp"
#include "tensorpool/agent_runner.hpp"
#include "tensorpool/driver.hpp"
#include "tensorpool/media_driver.hpp"
#include "tensorpool/monitor.hpp"
#include "tensorpool/supervisor.hpp"

namespace tensorpool {
namespace {

namespace fs = std::filesystem;

class Fork : public RigTest {
 protected:
  // Runs `f` in a child, as its whole life.
  template <class F>
  static void in_a_child(F f) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      f();
      ::_exit(0);
    }
    int status = -1;
    ASSERT_TRUE(eventually([&] { return ::waitpid(child, &status, WNOHANG) == child; })) << "the child hangs";
    EXPECT_EQ(status, 0);
  }
};

TEST_F(Fork, LeavesTheParentsAttachmentsAndClaimsAlone) {
  rig().start();
  EventLog events;
  std::optional<Client> client = rig().connect("parent", &events);
  std::optional<Producer> producer = need(client->attach_producer({.stream_id = Rig::stream}));
  std::optional<Consumer> consumer = need(client->attach_consumer({.stream_id = Rig::stream}));
  std::optional<Monitor> monitor = need(Monitor::open(rig().client_options("monitor")));
  auto claimed = producer->claim(64);
  ASSERT_TRUE(claimed);
  std::optional<SlotClaim> claim = *std::move(claimed);
  const std::uint64_t epoch = claim->epoch();
  in_a_child([&] {
    claim.reset();
    consumer.reset();
    producer.reset();
    monitor.reset();
    ClientOptions options = rig().client_options("child");
    options.invoker = true;                    // the thread sanitizer lets no child start threads
    *client = need(Client::connect(options));  // the copy of the parent's goes, one of its own comes
    client.reset();
  });
  std::fill_n(claim->payload().begin(), 64, std::byte{7});
  EXPECT_TRUE(is_committed(std::move(*claim).commit(TensorLayout::raw_bytes(64))));
  std::uint64_t delivered = 0;
  const Nanos later = monotonic_now() + 2 * lease_ms * nanos_per_milli;
  ASSERT_TRUE(eventually([&] {
    EXPECT_TRUE(is_committed(publish_pattern(*producer, 64)));
    consumer->poll([&](const Frame&) { ++delivered; });
    return delivered > 100 && monotonic_now() > later;
  })) << delivered
      << events.text();
  EXPECT_EQ(events.count(EventKind::attached), 2U) << events.text();
  EXPECT_EQ(rig().driver_status().leases.size(), 2U);
  EXPECT_EQ(producer->stats().abandoned, 0U);
  EXPECT_EQ(consumer->stats().epoch, epoch);
  EXPECT_EQ(consumer->stats().lost_total(), 0U);
  EXPECT_TRUE(eventually([&] { return monitor->snapshot().driver == DriverState::alive; }));
}

// Exits with the number of the first step that fails.
class Steps {
 public:
  void expect(bool right) {
    ++step_;
    if (!right) ::_exit(step_);
  }

 private:
  int step_ = 0;
};

TEST_F(Fork, TheChildsHandlesAnswerThatTheyAreNotAttached) {
  rig().start();
  Client client = rig().connect("parent");
  Producer producer = need(client.attach_producer({.stream_id = Rig::stream}));
  Consumer consumer = need(client.attach_consumer({.stream_id = Rig::stream, .progress = ProgressHints{0, 0, 0}}));
  MetadataReader metadata = need(client.metadata());
  Monitor monitor = need(Monitor::open(rig().client_options("monitor")));
  std::atomic<int> cycles{0};
  AgentRunner runner("parent's", Idle(IdleMode::sleep, nanos_per_milli), [&](Nanos) { return ++cycles; });
  ASSERT_TRUE(eventually([&] {
    publish_pattern(producer, 64);
    return consumer.poll([](const Frame&) {}) > 0;
  }));
  const TensorLayout layout = TensorLayout::raw_bytes(64);
  auto claimed = producer.claim(64, layout);
  ASSERT_TRUE(claimed);
  std::fill_n(claimed->payload().begin(), 64, std::byte{7});
  const ProducerStats before = producer.stats();
  const ConsumerStats read = consumer.stats();
  in_a_child([&] {
    Steps steps;
    const std::array<std::byte, 64> bytes{};
    steps.expect(!producer.attached() && !consumer.attached());
    steps.expect(producer.publish(layout, bytes) == PublishStatus::not_attached);
    steps.expect(producer.claim(64).error() == PublishStatus::not_attached);
    steps.expect(producer.claim(64, layout).error() == PublishStatus::not_attached);
    steps.expect(claimed->progress(32) == ProgressStatus::stale_claim);
    steps.expect(std::move(*claimed).commit(layout) == PublishStatus::stale_claim);
    steps.expect(std::move(*claimed).commit(layout) == PublishStatus::stale_claim);
    steps.expect(producer.slots() == 0 && producer.max_claims() == 0 && producer.max_payload_bytes() == 0);
    steps.expect(producer.slot_address(1, 0).empty());
    steps.expect(producer.set_attribute("key", "value").error().code == ErrorCode::closed);
    steps.expect(producer.set_source("name").error().code == ErrorCode::closed);
    steps.expect(producer.stats().published == before.published && producer.stats().next_seq == before.next_seq);
    steps.expect(consumer.poll([](const Frame&) {}) == 0);
    steps.expect(consumer.poll_progress([](const PartialFrame&) {}) == 0);
    steps.expect(!consumer.wait(0) && !consumer.wait(nanos_per_milli));
    steps.expect(consumer.stats().delivered == read.delivered);
    steps.expect(consumer.terms() == ConsumerTerms{});
    steps.expect(client.attach_producer({.stream_id = Rig::stream}).error().code == ErrorCode::closed);
    steps.expect(client.attach_consumer({.stream_id = Rig::stream}).error().code == ErrorCode::closed);
    steps.expect(client.metadata().error().code == ErrorCode::closed);
    steps.expect(client.do_work(monotonic_now()) == 0 && monitor.do_work(monotonic_now()) == 0);
    steps.expect(metadata.all().empty() && !metadata.latest(Rig::stream));
    steps.expect(monitor.snapshot().streams.empty());
    runner.stop();
  });
  EXPECT_TRUE(is_committed(std::move(*claimed).commit(layout)));
  EXPECT_EQ(producer.stats().next_seq, before.next_seq);
  std::uint64_t last = 0;
  EXPECT_TRUE(eventually([&] {
    consumer.poll([&](const Frame& frame) {
      if (frame.unchecked()[0] == std::byte{7}) last = frame.seq();
    });
    return last == before.next_seq - 1;
  }));
  EXPECT_EQ(consumer.stats().lost_total(), 0U);
  EXPECT_EQ(producer.stats().abandoned, 0U);
}

TEST_F(Fork, AChildOfTheFramesCallbackReadsThatFrameAndNoMore) {
  rig().start();
  Client client = rig().connect("parent");
  Producer producer = need(client.attach_producer({.stream_id = Rig::stream}));
  Consumer consumer = need(client.attach_consumer({.stream_id = Rig::stream, .start = StartAt::oldest}));
  for (int i = 0; i < 4; ++i) publish_pattern(producer, 64);
  const pid_t parent = ::getpid();
  pid_t child = 0;
  int frames = 0;
  const auto on_frame = [&](const Frame& frame) {
    if (++frames == 1) child = ::fork();
    std::array<std::byte, 64> bytes;
    if (::getpid() != parent && !frame.copy_to(bytes)) ::_exit(2);
  };
  int polled = 0;
  EXPECT_TRUE(eventually([&] { return (polled += consumer.poll(on_frame)) >= 4 || ::getpid() != parent; }));
  if (::getpid() != parent) ::_exit(frames == 1 && polled == 1 ? 0 : 3);
  int status = -1;
  EXPECT_TRUE(eventually([&] { return ::waitpid(child, &status, WNOHANG) == child; }));
  EXPECT_EQ(status, 0);
  EXPECT_EQ(frames, 4);
  EXPECT_EQ(consumer.stats().lost_total(), 0U);
}

TEST_F(Fork, LeavesTheParentsDriversAlone) {
  std::optional<MediaDriver> media = need(MediaDriver::start({.aeron_dir = rig().aeron_dir()}));
  std::optional<Driver> driver = need(Driver::create(rig().config().driver));
  std::optional<Supervisor> supervisor = need(Supervisor::create({.where = rig().client_options("supervisor")}));
  const auto epochs = fs::path(rig().namespace_dir()) / std::to_string(Rig::stream);
  ASSERT_TRUE(eventually([&] { return driver->do_work(monotonic_now()) >= 0 && !fs::is_empty(epochs); }));
  in_a_child([&] {
    Steps steps;
    steps.expect(driver->do_work(monotonic_now()) == 0 && supervisor->do_work(monotonic_now()) == 0);
    steps.expect(supervisor->snapshot().driver == DriverState::unknown);
    driver->request_shutdown();
    steps.expect(driver->finished());
    supervisor.reset();
    driver.reset();
    media.reset();
  });
  EXPECT_FALSE(fs::is_empty(epochs));
  AgentRunner runner({}, *driver);
  EXPECT_TRUE(eventually([&] {
    supervisor->do_work(monotonic_now());
    return supervisor->snapshot().driver == DriverState::alive;
  }));
  {
    Client client = rig().connect("afterwards");
    EXPECT_TRUE(client.attach_producer({.stream_id = Rig::stream}));
  }
  driver->request_shutdown();
  EXPECT_TRUE(eventually([&] { return driver->finished(); }));
}

}  // namespace
}  // namespace tensorpool
