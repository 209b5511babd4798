// A subscriber of the descriptor stream that is tethered and does not read stops the stream for everybody.
#include <gtest/gtest.h>

#include <optional>

#include "support/need.hpp"
#include "support/rig.hpp"
#include "transport/blocked_publications.hpp"
#include "transport/connection.hpp"

namespace tensorpool {
namespace {

class BlockedDescriptors : public RigTest {
 protected:
  void publish() {
    for (int i = 0; i < 1000; ++i) publish_pattern(*producer_, 64);
    consumer_->poll([this](const Frame&) { ++delivered_; }, 1000);
  }

  EventLog events_;
  std::optional<Producer> producer_;
  std::optional<Consumer> consumer_;
  std::uint64_t delivered_ = 0;
};

TEST_F(BlockedDescriptors, AreToldOnceWithTheSubscriberThatDoesNotRead) {
  rig().start();
  Client client = rig().connect("camera", &events_);
  producer_ = need(client.attach_producer({.stream_id = Rig::stream}));
  consumer_ = need(client.attach_consumer({.stream_id = Rig::stream}));
  publish();
  std::optional<transport::Connection> stranger =
      transport::Connection::open({.aeron_dir = rig().aeron_dir(), .client_name = "lazy viewer"}).value();
  std::optional<transport::Subscription> idle = stranger->add_subscription("aeron:ipc", 1100).value();
  const auto keep_alive = [&] { stranger->do_work(); };
  ASSERT_TRUE(eventually([&] {
    keep_alive();
    publish();
    return events_.count(EventKind::descriptors_blocked) == 1;
  })) << events_.text();
  EXPECT_TRUE(events_.heard(EventKind::descriptors_blocked, "lazy viewer")) << events_.text();
  EXPECT_TRUE(events_.heard(EventKind::descriptors_blocked, "stream 1001")) << events_.text();
  const auto blocked = transport::blocked_publications(transport::read_counters(rig().aeron_dir()).value());
  ASSERT_EQ(blocked.size(), 1U);
  EXPECT_EQ(blocked[0].stream_id, 1100);
  EXPECT_EQ(blocked[0].client_name, "lazy viewer");
  const std::uint64_t so_far = delivered_;
  const Nanos later = monotonic_now() + 2 * nanos_per_second;
  ASSERT_TRUE(eventually([&] {
    keep_alive();
    publish();
    return monotonic_now() > later;
  }));
  EXPECT_GT(delivered_, so_far) << "a consumer lives from the ring";
  EXPECT_EQ(events_.count(EventKind::descriptors_blocked), 1U) << events_.text();
  EXPECT_EQ(producer_->stats().descriptor_stalls, 1U);

  idle.reset();
  stranger.reset();
  const Nanos recovered = monotonic_now() + 3 * nanos_per_second;
  ASSERT_TRUE(eventually([&] {
    const std::uint64_t dropped = producer_->stats().descriptors_dropped;
    publish();
    return producer_->stats().descriptors_dropped == dropped && monotonic_now() > recovered;
  }));
  stranger = transport::Connection::open({.aeron_dir = rig().aeron_dir(), .client_name = "another"}).value();
  idle = stranger->add_subscription("aeron:ipc", 1100).value();
  ASSERT_TRUE(eventually([&] {
    keep_alive();
    publish();
    return events_.count(EventKind::descriptors_blocked) == 2;
  })) << events_.text();
  EXPECT_TRUE(events_.heard(EventKind::descriptors_blocked, "another")) << events_.text();
}

}  // namespace
}  // namespace tensorpool
