// Metadata over real Aeron: fragments, late joiners, a media driver that comes back.
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
