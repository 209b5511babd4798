// Metadata from a producer to readers, over the in-memory twin.
#include "tensorpool/metadata.hpp"

#include "client/scripted_driver_test.hpp"
#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

class MetadataTest : public StreamBench {
 protected:
  // Sends as anybody could who may write to the media driver's directory.
  template <class Message>
  void forge(const Message& message) {
    auto connection = transport::Connection::open({.aeron_dir = bus_}).value();
    auto publication = connection.add_publication("aeron:ipc", 1300).value();
    std::vector<std::byte> bytes(protocol::encoded_length(message));
    ASSERT_NE(protocol::encode(message, std::span(bytes)), 0u);
    ASSERT_EQ(publication.offer(bytes), transport::OfferResult::ok);
    run(client, 10 * ms);
  }
  MetadataReader follow(MetadataOptions wanted = {}) {
    auto reader = client.metadata(std::move(wanted)).value();
    run(client, 10 * ms);
    return reader;
  }
};

TEST_F(MetadataTest, ReachesAReaderAtOnce) {
  attach();
  const auto reader = follow();
  ASSERT_TRUE(producer->set_source("cam1", "left camera"));
  ASSERT_TRUE(producer->set_attribute("exposure_us", "250"));
  run(client, 10 * ms);
  const auto known = reader.latest(5);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->version, 2u);
  EXPECT_EQ(known->producer_id, producer->client_id());
  EXPECT_EQ(known->epoch, producer->stats().epoch);
  EXPECT_EQ(known->name, "cam1");
  EXPECT_EQ(known->summary, "left camera");
  ASSERT_NE(known->find("exposure_us"), nullptr);
  EXPECT_EQ(known->find("exposure_us")->text(), "250");
  EXPECT_EQ(known->find("exposure_us")->format, "text/plain");
}

TEST_F(MetadataTest, ReachesALateJoinerWithinAPeriod) {
  attach();
  ASSERT_TRUE(producer->set_source("cam1"));
  run(client, 3 * second);
  auto late = connect();
  const auto reader = late.metadata({.stream_ids = {5}}).value();
  run(client, late, 1100 * ms);
  ASSERT_TRUE(reader.latest(5));
  EXPECT_EQ(reader.latest(5)->name, "cam1");
}

TEST_F(MetadataTest, TellsEveryChangeOnce) {
  attach();
  std::vector<std::uint32_t> versions;
  const auto reader =
      follow({.on_change = [&](const StreamMetadata& changed) { versions.push_back(changed.version); }});
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(producer->set_attribute("exposure_us", std::to_string(i)));
    run(client, 2 * second);
  }
  ASSERT_TRUE(producer->erase_attribute("exposure_us"));
  run(client, 2 * second);
  EXPECT_EQ(versions, (std::vector<std::uint32_t>{1, 2, 3, 4}));
  EXPECT_TRUE(reader.latest(5)->attributes.empty());
}

TEST_F(MetadataTest, VersionIsStampedIntoFrames) {
  attach();
  std::vector<std::uint32_t> seen;
  const auto look = [&] { consumer->poll([&](const Frame& frame) { seen.push_back(frame.meta_version()); }); };
  publish(0);
  look();
  ASSERT_TRUE(producer->set_attribute("exposure_us", "1"));
  publish(1);
  look();
  commit(claim());
  look();
  producer->publish(TensorLayout::raw_bytes(3), pattern(3, 3), {.meta_version = 17});
  look();
  EXPECT_EQ(seen, (std::vector<std::uint32_t>{0, 1, 1, 17}));
}

TEST_F(MetadataTest, LargerThanAFragmentArrivesWhole) {
  attach();
  const auto reader = follow();
  Attribute large{"lut", "application/octet-stream", pattern(60'000, 7)};
  ASSERT_TRUE(producer->set_attribute(large));
  run(client, 20 * ms);
  ASSERT_TRUE(reader.latest(5));
  EXPECT_EQ(*reader.latest(5)->find("lut"), large);
}

TEST_F(MetadataTest, GoesOnInTheNextEpochWithItsVersion) {
  attach();
  const auto reader = follow();
  ASSERT_TRUE(producer->set_source("cam1"));
  run(client, 10 * ms);
  const std::uint64_t before = reader.latest(5)->epoch;
  driver->revoke(driver->lease_of(protocol::Role::producer), protocol::LeaseRevokeReason::expired);
  run(client, 5 * second);
  EXPECT_GT(reader.latest(5)->epoch, before);
  EXPECT_EQ(reader.latest(5)->version, 1u);
  EXPECT_EQ(reader.latest(5)->name, "cam1");
}

TEST_F(MetadataTest, IsToldOnceBackPressureEnds) {
  attach();
  const auto reader = follow();
  transport::loopback::force_offer_result(bus_, 1300, transport::OfferResult::back_pressured, 5);
  ASSERT_TRUE(producer->set_source("cam1"));
  run(client, 50 * ms);
  EXPECT_TRUE(reader.latest(5));
}

TEST_F(MetadataTest, ThatCannotBeToldIsAnEventNotSilence) {
  attach();
  const auto reader = follow();
  transport::loopback::force_offer_result(bus_, 1300, transport::OfferResult::too_long, 1);
  ASSERT_TRUE(producer->set_source("cam1"));
  run(client, 10 * ms);
  const Event* const told = last(EventKind::log);
  ASSERT_NE(told, nullptr);
  EXPECT_NE(told->message.find("stream 5: version 1 of its metadata is not told"), std::string::npos) << told->message;
}

TEST_F(MetadataTest, FromStrangersIsCountedAndBounded) {
  attach();
  const auto reader = follow();
  ASSERT_TRUE(producer->set_source("cam1"));
  run(client, 10 * ms);
  forge(protocol::DataSourceAnnounce{5, 99, 1, 7, "forged", ""});
  forge(protocol::MetaBlobAnnounce{5, 1, 0, 100, 0});
  forge(protocol::MetaBlobChunk{5, 1, 0, protocol::Bytes(100)});
  forge(protocol::MetaBlobComplete{5, 1, 0});
  EXPECT_EQ(reader.latest(5)->name, "cam1");
  EXPECT_EQ(reader.stats().outdated, 1u);
  EXPECT_EQ(reader.stats().blobs_ignored, 3u);
}

TEST_F(MetadataTest, ComesBackWithTheMediaDriver) {
  attach();
  const auto reader = follow();
  ASSERT_TRUE(producer->set_source("cam1"));
  run(client, 10 * ms);
  transport::loopback::kill_media_driver(bus_);
  driver->paused = true;
  run(client, 100 * ms);
  ASSERT_TRUE(producer->set_source("cam2"));
  transport::loopback::restart_media_driver(bus_);
  driver->connect();
  driver->forget();
  driver->paused = false;
  run(client, 10 * second);
  EXPECT_EQ(reader.latest(5)->name, "cam2");
}

TEST_F(MetadataTest, CostsNothingWhenNobodyUsesIt) {
  attach();
  run(client, 3 * second);
  auto probe = transport::Connection::open({.aeron_dir = bus_}).value();
  const auto subscription = probe.add_subscription("aeron:ipc", 1300).value();
  probe.do_work();
  EXPECT_EQ(subscription.image_count(), 0);
  const auto publication = probe.add_publication("aeron:ipc", 1301).value();
  EXPECT_FALSE(publication.is_connected());
}

TEST_F(MetadataTest, IsFollowedOnlyOnAChannelThatThereIs) {
  ClientOptions wrong = options();
  wrong.metadata.channel = "aeron:ipc?term-length=3m";
  auto other = Client::connect(wrong).value();
  EXPECT_FALSE(other.metadata());
}

}  // namespace
}  // namespace tensorpool::detail
