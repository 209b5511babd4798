#include "transport/loopback/faults.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "transport/connection.hpp"
#include "transport/media_driver.hpp"

namespace tensorpool::transport::loopback {
namespace {

constexpr std::int32_t stream = 7;
constexpr const char* channel = "aeron:ipc?term-length=64k";

class Faults : public testing::Test {
 protected:
  Faults() {
    EXPECT_TRUE(start_media_driver(dir_));
    connection_.emplace(Connection::open({.aeron_dir = dir_}).value());
    subscription_ = connection_->add_subscription(channel, stream).value();
    publication_ = connection_->add_publication(channel, stream).value();
    connection_->do_work();
  }
  ~Faults() override { remove_bus(dir_); }

  OfferResult offer(std::string_view text) {
    return publication_.offer({reinterpret_cast<const std::byte*>(text.data()), text.size()});
  }
  std::string received(int limit = 100) {
    std::string all;
    subscription_.poll(
        [&](std::span<const std::byte> m) { all.append(reinterpret_cast<const char*>(m.data()), m.size()); }, limit);
    return all;
  }

  std::string dir_ = "faulty";
  std::optional<Connection> connection_;
  Subscription subscription_;
  Publication publication_;
};

TEST_F(Faults, DropsTheNextMessages) {
  drop_next(dir_, stream, 2);
  for (const auto* const text : {"a", "b", "c"}) EXPECT_EQ(offer(text), OfferResult::ok);
  EXPECT_EQ(received(), "c");
}

TEST_F(Faults, DuplicatesTheNextMessages) {
  duplicate_next(dir_, stream, 1);
  for (const auto* const text : {"a", "b"}) EXPECT_EQ(offer(text), OfferResult::ok);
  EXPECT_EQ(received(), "aab");
}

TEST_F(Faults, DelaysTheNextMessagesUntilTheirRelease) {
  delay_next(dir_, stream, 2);
  for (const auto* const text : {"a", "b", "c"}) EXPECT_EQ(offer(text), OfferResult::ok);
  EXPECT_EQ(received(), "c");
  release_delayed(dir_, stream);
  EXPECT_EQ(received(), "ab");
}

TEST_F(Faults, ForcesOfferResults) {
  force_offer_result(dir_, stream, OfferResult::back_pressured, 2);
  EXPECT_EQ(offer("a"), OfferResult::back_pressured);
  bool filled = false;
  EXPECT_EQ(publication_.try_claim(1, [&](auto) { filled = true; }), OfferResult::back_pressured);
  EXPECT_FALSE(filled);
  EXPECT_EQ(offer("b"), OfferResult::ok);
  EXPECT_EQ(received(), "b");
}

TEST_F(Faults, AdminActionIsRetriedOnce) {
  force_offer_result(dir_, stream, OfferResult::admin_action, 1);
  EXPECT_EQ(offer("a"), OfferResult::ok);
  EXPECT_EQ(publication_.admin_retries(), 1U);
  force_offer_result(dir_, stream, OfferResult::admin_action, 2);
  EXPECT_EQ(offer("b"), OfferResult::admin_action);
  EXPECT_EQ(received(), "a");
}

TEST_F(Faults, NarrowsTheWindow) {
  set_window(dir_, stream + 1, 128);
  const Subscription subscription = connection_->add_subscription(channel, stream + 1).value();
  Publication publication = connection_->add_publication(channel, stream + 1).value();
  const std::byte message[32]{};  // 64 bytes of log
  EXPECT_EQ(publication.offer(message), OfferResult::ok);
  EXPECT_EQ(publication.offer(message), OfferResult::ok);
  EXPECT_EQ(publication.offer(message), OfferResult::back_pressured);
}

TEST_F(Faults, ReplaysToLateSubscribers) {
  set_replay(dir_, stream, true);
  EXPECT_EQ(offer("a"), OfferResult::ok);
  EXPECT_EQ(received(), "a");
  Subscription late = connection_->add_subscription(channel, stream).value();
  connection_->do_work();
  int fragments = 0;
  late.poll([&](auto) { ++fragments; }, 10);
  EXPECT_EQ(fragments, 1);
}

TEST_F(Faults, KillsAndRestartsTheMediaDriver) {
  EXPECT_EQ(offer("a"), OfferResult::ok);
  kill_media_driver(dir_);
  EXPECT_TRUE(connection_->is_closed());
  EXPECT_EQ(offer("b"), OfferResult::closed);
  EXPECT_EQ(received(), "");
  EXPECT_FALSE(Connection::open({.aeron_dir = dir_}));
  restart_media_driver(dir_);
  EXPECT_TRUE(connection_->is_closed()) << "an old connection stays closed";
  Connection fresh = Connection::open({.aeron_dir = dir_}).value();
  EXPECT_FALSE(fresh.is_closed());
}

TEST_F(Faults, KillingEndsAnEmbeddedMediaDriverToo) {
  EXPECT_FALSE(EmbeddedMediaDriver::start({.aeron_dir = dir_}));
  kill_media_driver(dir_);
  auto embedded = EmbeddedMediaDriver::start({.aeron_dir = dir_});
  ASSERT_TRUE(embedded);
  EXPECT_TRUE(embedded->alive());
  kill_media_driver(dir_);
  EXPECT_FALSE(embedded->alive());
}

}  // namespace
}  // namespace tensorpool::transport::loopback
