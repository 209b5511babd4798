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

TEST_F(Faults, AskWhatBecomesOfEachMessage) {
  std::string asked;
  set_fate(dir_, [&](std::int32_t id, std::span<const std::byte> message) {
    EXPECT_EQ(id, stream);
    asked += static_cast<char>(message[0]);
    switch (asked.back()) {
      case 'a':
        return Fate::hold;
      case 'b':
        return Fate::drop;
      case 'c':
        return Fate::duplicate;
      default:
        return Fate::deliver;
    }
  });
  const auto before = offers_so_far(dir_);
  for (const auto* const text : {"a1", "a2", "b", "c", "d"}) EXPECT_EQ(offer(text), OfferResult::ok);
  EXPECT_EQ(offers_so_far(dir_) - before, 5U);
  EXPECT_EQ(asked, "aabcd");
  EXPECT_EQ(received(), "ccd");
  ASSERT_EQ(held_messages(dir_), 2U);
  release_held(dir_, 1);
  release_held(dir_, 0);
  release_held(dir_, 0);  // there is none any more
  EXPECT_EQ(held_messages(dir_), 0U);
  EXPECT_EQ(received(), "a2a1");
}

TEST_F(Faults, CutAClientAndLeaveTheOthers) {
  auto silent = Connection::open({.aeron_dir = dir_, .client_name = "silent"}).value();
  const auto before = resources_of(dir_);
  auto heard = silent.add_subscription(channel, stream).value();
  auto said = silent.add_publication(channel, stream).value();
  auto counter = silent.add_counter(first_own_counter_type, {}, "its").value();
  connection_->do_work();
  EXPECT_EQ(subscription_.image_count(), 2);
  EXPECT_EQ(said.offer(std::as_bytes(std::span("x", 1))), OfferResult::ok);
  cut_connections(dir_, "silent");
  EXPECT_TRUE(silent.is_closed() && heard.is_closed() && said.is_closed());
  EXPECT_EQ(said.offer(std::as_bytes(std::span("y", 1))), OfferResult::closed);
  EXPECT_EQ(resources_of(dir_), before);
  EXPECT_EQ(received(), "x") << "what it said before stays said";
  connection_->do_work();
  EXPECT_EQ(subscription_.image_count(), 1);
  EXPECT_FALSE(connection_->is_closed());
  EXPECT_FALSE(Connection::open({.aeron_dir = dir_, .client_name = "silent"}).value().is_closed());
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
