// How a client gets its connection: with a media driver that is slow, and among others who want one too.
#include <gtest/gtest.h>

#include <limits>
#include <memory>

#include "client/scripted_driver_test.hpp"
#include "support/time_units.hpp"
#include "transport/media_driver_claim.hpp"

namespace tensorpool::detail {
namespace {

class ConnectTest : public ClientBench {};

TEST_F(ConnectTest, ConnectsThoughTheFirstAddsTimeOut) {
  transport::loopback::time_out_next_adds(bus_, 3);
  auto client = connect();
  auto consumer = client.attach_consumer({.stream_id = 5});
  EXPECT_TRUE(consumer) << consumer.error().message;
}

TEST_F(ConnectTest, GivesUpConnectingWhenTheTimeOutIsOver) {
  transport::loopback::time_out_next_adds(bus_, std::numeric_limits<int>::max());
  auto wanted = options();
  wanted.attach_timeout_ns = 5 * ms;
  const auto client = Client::connect(wanted);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::timed_out);
  EXPECT_NE(client.error().message.find("control subscription"), std::string::npos) << client.error().message;
}

TEST_F(ConnectTest, StopsConnectingWhenTheCallerDoesNotGoOn) {
  transport::loopback::time_out_next_adds(bus_, std::numeric_limits<int>::max());
  auto wanted = options();
  int asked = 0;
  wanted.keep_waiting = [&] { return ++asked < 3; };
  EXPECT_FALSE(Client::connect(wanted));
  EXPECT_EQ(asked, 3);
}

// Null if somebody has it.
std::unique_ptr<transport::MediaDriverClaim> take_turn(const std::string& bus) {
  auto turn = transport::MediaDriverClaim::take(bus, std::numeric_limits<std::uint32_t>::max());
  return turn ? std::make_unique<transport::MediaDriverClaim>(*std::move(turn)) : nullptr;
}

TEST_F(ConnectTest, GivesTheTurnToConnectBack) {
  auto client = connect();
  EXPECT_TRUE(take_turn(bus_));
}

TEST_F(ConnectTest, WaitsForItsTurnToConnectButNotForEver) {
  const auto turn = take_turn(bus_);
  ASSERT_TRUE(turn);
  auto wanted = options();
  wanted.attach_timeout_ns = 20 * ms;
  const Nanos begun = monotonic_now();
  EXPECT_TRUE(Client::connect(wanted));
  EXPECT_GE(monotonic_now() - begun, 10 * ms);
}

TEST_F(ConnectTest, ComesBackWhenItIsItsTurn) {
  auto client = connect();
  transport::loopback::restart_media_driver(bus_);
  driver->connect();
  auto turn = take_turn(bus_);
  ASSERT_TRUE(turn);
  run(client, second);
  EXPECT_EQ(count(EventKind::media_driver_lost), 1);
  EXPECT_EQ(count(EventKind::media_driver_back), 0);
  turn.reset();
  run(client, 20 * ms);
  EXPECT_EQ(count(EventKind::media_driver_back), 1);
}

TEST_F(ConnectTest, ComesBackWithoutATurnThatIsNeverGivenBack) {
  auto client = connect();
  transport::loopback::restart_media_driver(bus_);
  driver->connect();
  const auto turn = take_turn(bus_);
  ASSERT_TRUE(turn);
  run(client, 10 * second);
  EXPECT_EQ(count(EventKind::media_driver_back), 1);
}

}  // namespace
}  // namespace tensorpool::detail
