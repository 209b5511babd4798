// A process that forks: the child has copies of everything, and its end is the end of nothing.
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "support/need.hpp"
#include "support/rig.hpp"
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

TEST_F(Fork, LeavesTheParentsDriversAlone) {
  std::optional<MediaDriver> media = need(MediaDriver::start({.aeron_dir = rig().aeron_dir()}));
  std::optional<Driver> driver = need(Driver::create(rig().config().driver));
  std::optional<Supervisor> supervisor = need(Supervisor::create({.where = rig().client_options("supervisor")}));
  const auto epochs = fs::path(rig().namespace_dir()) / std::to_string(Rig::stream);
  ASSERT_TRUE(eventually([&] { return driver->do_work(monotonic_now()) >= 0 && !fs::is_empty(epochs); }));
  in_a_child([&] {
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
