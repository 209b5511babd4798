// Metadata over real Aeron: fragments, late joiners, a media driver that comes back.
#include "support/forger.hpp"
#include "support/rig.hpp"

namespace tensorpool {
namespace {

class Metadata : public RigTest {};

Attribute large_attribute() {
  Attribute large{"lut", "application/octet-stream", {}};
  for (std::size_t i = 0; i < 60'000; ++i) large.value.push_back(static_cast<std::byte>(i * 7));
  return large;
}

TEST_F(Metadata, LargerThanAFragmentReachesAnotherProcessWhole) {
  rig().start();
  Client sender = rig().connect("sender");
  Client receiver = rig().connect("receiver");
  const auto reader = receiver.metadata();
  auto producer = sender.attach_producer({.stream_id = Rig::stream});
  ASSERT_TRUE(producer && reader);
  ASSERT_TRUE(producer->set_source("cam1", "left"));
  ASSERT_TRUE(producer->set_attribute(large_attribute()));
  ASSERT_TRUE(eventually([&] {
    const auto known = reader->latest(Rig::stream);
    return known && known->version == 2;
  }));
  EXPECT_EQ(*reader->latest(Rig::stream)->find("lut"), large_attribute());
}

// This build reads no blobs (wire 1.2 leaves them to the application): they are counted, and metadata goes on.
TEST_F(Metadata, PassesOverBlobs) {
  rig().start();
  Client sender = rig().connect("sender");
  const auto reader = sender.metadata();
  auto producer = sender.attach_producer({.stream_id = Rig::stream});
  ASSERT_TRUE(producer && reader);
  ASSERT_TRUE(producer->set_source("cam1"));
  ASSERT_TRUE(eventually([&] { return reader->latest(Rig::stream).has_value(); }));
  Forger stranger(rig().client_options("stranger"));
  const std::int32_t stream = rig().client_options("").metadata.stream_id;
  const protocol::Bytes chunk(1000, std::byte{7});
  ASSERT_TRUE(stranger.say_on(stream, protocol::MetaBlobAnnounce{Rig::stream, 1, 0, 2000, 0}));
  ASSERT_TRUE(stranger.say_on(stream, protocol::MetaBlobChunk{Rig::stream, 1, 0, chunk}));
  ASSERT_TRUE(stranger.say_on(stream, protocol::MetaBlobChunk{Rig::stream, 1, 1000, chunk}));
  ASSERT_TRUE(stranger.say_on(stream, protocol::MetaBlobComplete{Rig::stream, 1, 0}));
  EXPECT_TRUE(eventually([&] { return reader->stats().blobs_ignored == 4; }));
  ASSERT_TRUE(producer->set_source("cam2"));
  EXPECT_TRUE(eventually([&] { return reader->latest(Rig::stream)->name == "cam2"; }));
}

TEST_F(Metadata, ReachesWhoJoinsLateAndComesBackWithTheMediaDriver) {
  rig().start_media();
  rig().start_driver();
  Client sender = rig().connect("sender");
  auto producer = sender.attach_producer({.stream_id = Rig::stream});
  ASSERT_TRUE(producer);
  ASSERT_TRUE(producer->set_source("cam1"));
  Client receiver = rig().connect("receiver");
  const auto reader = receiver.metadata({.stream_ids = {Rig::stream}});
  ASSERT_TRUE(reader);
  ASSERT_TRUE(eventually([&] { return reader->latest(Rig::stream).has_value(); }));

  rig().stop_media();
  ASSERT_TRUE(eventually([&] { return !producer->attached(); }));
  ASSERT_TRUE(producer->set_source("cam2"));
  rig().start_media();
  EXPECT_TRUE(eventually([&] { return reader->latest(Rig::stream)->name == "cam2"; }));
}

}  // namespace
}  // namespace tensorpool
