#include "roles/driver/outbox.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "roles/driver/driver_fixture.hpp"

namespace tensorpool::driver {
namespace {

using Posted = Outbox::Posted;
using transport::OfferResult;

class OutboxTest : public ::testing::Test {
 protected:
  OutboxTest() {
    transport::loopback::start_media_driver(bus);
    connection =
        std::make_unique<transport::Connection>(transport::Connection::open(options_for(bus, "outbox")).value());
  }
  ~OutboxTest() override {
    connection.reset();
    transport::loopback::remove_bus(bus);
  }
  transport::Subscription listen() {
    auto subscription = connection->add_subscription("aeron:ipc", 1000).value();
    connection->do_work();
    return subscription;
  }
  transport::Publication publish() { return connection->add_publication("aeron:ipc", 1000).value(); }
  static protocol::ShmDetachResponse message(std::int64_t id) { return {id, protocol::ResponseCode::ok, ""}; }
  std::vector<std::int64_t> heard(transport::Subscription& subscription) {
    std::vector<std::int64_t> ids;
    connection->do_work();
    subscription.poll_assembled(
        [&](std::span<const std::byte> bytes) {
          ids.push_back(protocol::decode<protocol::ShmDetachResponse>(bytes).value().correlation_id);
        },
        100);
    return ids;
  }

  std::string bus = "outbox-test-" + std::to_string(std::hash<const void*>{}(this));
  std::unique_ptr<transport::Connection> connection;
};

TEST_F(OutboxTest, KeepsTheOrderThroughBackPressure) {
  auto ear = listen();
  Outbox outbox(10, 1000, Outbox::WithoutListener::keep);
  outbox.open(publish());
  connection->do_work();
  transport::loopback::force_offer_result(bus, 1000, OfferResult::back_pressured, 1);
  EXPECT_EQ(outbox.post(message(1), 0), Posted::queued);
  EXPECT_EQ(outbox.post(message(2), 0), Posted::queued) << "never overtakes";
  EXPECT_EQ(outbox.flush(10), 2);
  EXPECT_EQ(outbox.post(message(3), 20), Posted::sent);
  EXPECT_EQ(heard(ear), (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(outbox.given_up(), 0U);
}

TEST_F(OutboxTest, GivesUpInTimeAndIsBounded) {
  auto ear = listen();
  Outbox outbox(2, 1000, Outbox::WithoutListener::keep);
  outbox.open(publish());
  connection->do_work();
  transport::loopback::force_offer_result(bus, 1000, OfferResult::back_pressured, 100);
  EXPECT_EQ(outbox.post(message(1), 0), Posted::queued);
  EXPECT_EQ(outbox.post(message(2), 500), Posted::queued);
  EXPECT_EQ(outbox.post(message(3), 500), Posted::failed);
  EXPECT_EQ(outbox.flush(1000), 0);
  EXPECT_FALSE(outbox.empty());
  EXPECT_EQ(outbox.given_up(), 2U);
  outbox.flush(1500);
  EXPECT_TRUE(outbox.empty());
}

TEST_F(OutboxTest, DropsAnAnnounceThatNobodyHearsAndKeepsAnAnswer) {
  Outbox announces(10, 1000, Outbox::WithoutListener::drop);
  announces.open(publish());
  EXPECT_EQ(announces.post(message(1), 0), Posted::no_listener);
  Outbox answers(10, 1000, Outbox::WithoutListener::keep);
  answers.open(publish());
  EXPECT_EQ(answers.post(message(2), 0), Posted::queued);
  auto ear = listen();
  EXPECT_EQ(answers.flush(10), 1);
  EXPECT_EQ(heard(ear), std::vector<std::int64_t>{2});
}

TEST_F(OutboxTest, SaysThatAMessageIsTooLongForItsChannel) {
  auto ear = listen();
  Outbox outbox(10, 1000, Outbox::WithoutListener::keep);
  outbox.open(connection->add_publication("aeron:ipc?term-length=64k", 1000).value());
  connection->do_work();
  protocol::ShmDetachResponse long_one = message(1);
  long_one.error_message.assign(outbox.max_message_length() + 1, 'x');
  EXPECT_EQ(outbox.post(long_one, 0), Posted::too_long);
  EXPECT_TRUE(outbox.empty());
}

TEST_F(OutboxTest, FailsWithoutAConnection) {
  Outbox outbox(10, 1000, Outbox::WithoutListener::keep);
  EXPECT_EQ(outbox.post(message(1), 0), Posted::failed);
}

}  // namespace
}  // namespace tensorpool::driver
