#include "roles/driver/former_life.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/time_units.hpp"
#include "transport/connection.hpp"
#include "transport/loopback/faults.hpp"

namespace tensorpool::driver {
namespace {

constexpr std::int32_t stream_id = 1000;

// A stream on which a new subscriber hears what was sent before it came, as it may from Aeron.
class FormerLifeTest : public ::testing::Test {
 protected:
  FormerLifeTest() {
    transport::loopback::start_media_driver(bus_);
    transport::loopback::set_replay(bus_, stream_id, true);
    connection_.emplace(transport::Connection::open({.aeron_dir = bus_}).value());
    listener_ = connection_->add_subscription("aeron:ipc", stream_id).value();
    old_ = add();
  }
  ~FormerLifeTest() override { transport::loopback::remove_bus(bus_); }

  transport::Publication add() {
    auto publication = connection_->add_publication("aeron:ipc", stream_id).value();
    connection_->do_work();
    return publication;
  }
  void say(transport::Publication& publication) {
    ASSERT_EQ(publication.offer(std::as_bytes(std::span("word"))), transport::OfferResult::ok);
  }
  // Of each message that is there, whether it was sent before.
  std::vector<bool> told(const FormerLife& former, transport::Subscription& inbox, Nanos since_start) {
    connection_->do_work();
    std::vector<bool> sent_before;
    inbox.poll_assembled([&](auto) { sent_before.push_back(former.has_sent(inbox, since_start)); }, 10);
    return sent_before;
  }
  transport::Subscription subscribe() { return connection_->add_subscription("aeron:ipc", stream_id).value(); }

  std::string bus_ = "former-life-test";
  std::optional<transport::Connection> connection_;
  transport::Subscription listener_;
  transport::Publication old_;
};

TEST_F(FormerLifeTest, EndsWhereEachPublicationStoodAtTheStart) {
  say(old_);
  say(old_);
  const FormerLife former(bus_, "aeron:ipc", stream_id);
  say(old_);  // before the inbox is there, but after the start
  auto inbox = subscribe();
  say(old_);
  EXPECT_EQ(told(former, inbox, 0), (std::vector<bool>{true, true, false, false}));
}

TEST_F(FormerLifeTest, HasNothingOfAPublicationThatJoinedAfterTheStart) {
  const FormerLife former(bus_, "aeron:ipc?term-length=64k", stream_id);
  auto inbox = subscribe();
  auto fresh = add();
  say(fresh);
  EXPECT_EQ(told(former, inbox, 0), std::vector<bool>{false});
}

TEST_F(FormerLifeTest, IsTheFirstMomentsWherePositionsCannotBeTold) {
  for (const bool by_channel : {true, false}) {
    const FormerLife former(by_channel ? bus_ : "no media driver",
                            by_channel ? "aeron:udp?endpoint=localhost:4000" : "aeron:ipc", stream_id);
    auto inbox = subscribe();
    auto fresh = add();
    say(fresh);
    EXPECT_EQ(told(former, inbox, 149 * ms), std::vector<bool>{true});
    say(fresh);
    EXPECT_EQ(told(former, inbox, 150 * ms), std::vector<bool>{false});
  }
}

}  // namespace
}  // namespace tensorpool::driver
