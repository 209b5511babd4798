#include "apps/support/media_driver_host.hpp"

#include <gtest/gtest.h>

#include "transport/loopback/faults.hpp"

namespace tensorpool::apps {
namespace {

namespace loopback = transport::loopback;
using transport::MediaDriverState;

class MediaDriverHostOn : public ::testing::Test {
 protected:
  void TearDown() override { loopback::remove_bus(dir_); }
  MediaDriverHost host(const std::string& mode) { return {mode, dir_, false, {}}; }
  bool alive() const { return transport::probe_media_driver(dir_).state == MediaDriverState::alive; }

  std::string dir_ = "media-driver-host-test";
};

TEST_F(MediaDriverHostOn, AutoStartsOneWhenNoneIsAliveAndStopsIt) {
  {
    MediaDriverHost mine = host("auto");
    ASSERT_TRUE(mine.ensure(0));
    EXPECT_TRUE(alive());
  }
  EXPECT_FALSE(alive());
}

TEST_F(MediaDriverHostOn, AutoUsesTheOneThatIsAliveAndLeavesItAlone) {
  loopback::start_media_driver(dir_);
  {
    MediaDriverHost mine = host("auto");
    ASSERT_TRUE(mine.ensure(0));
  }
  EXPECT_TRUE(alive());
}

TEST_F(MediaDriverHostOn, AutoStartsOneWhenAnothersHasDied) {
  loopback::start_media_driver(dir_);
  MediaDriverHost mine = host("auto");
  ASSERT_TRUE(mine.ensure(0));
  loopback::kill_media_driver(dir_);
  ASSERT_TRUE(mine.ensure(0));
  EXPECT_TRUE(alive());
}

TEST_F(MediaDriverHostOn, EmbeddedRefusesAnothers) {
  loopback::start_media_driver(dir_);
  MediaDriverHost mine = host("embedded");
  const Status status = mine.ensure(0);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::already_exists);
  EXPECT_NE(status.error().message.find("stop it, or set \"auto\""), std::string::npos) << status.error().message;
}

TEST_F(MediaDriverHostOn, ExternalNeverStartsOne) {
  MediaDriverHost mine = host("external");
  EXPECT_TRUE(mine.ensure(0));
  EXPECT_FALSE(alive());
}

}  // namespace
}  // namespace tensorpool::apps
