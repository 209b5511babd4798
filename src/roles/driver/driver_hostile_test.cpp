// What a client sees of the driver while somebody else says what he likes on the control stream. spec: reliability §3
#include <gtest/gtest.h>

#include <random>

#include "roles/driver/driver_fixture.hpp"

namespace tensorpool::driver {
namespace {

using protocol::ResponseCode;
using protocol::Role;
using protocol::ShmAttachResponse;
using protocol::ShmLeaseRevoked;

class DriverHostile : public DriverFixture {
 protected:
  template <class Message>
  static std::vector<std::byte> encoded(const Message& message) {
    std::vector<std::byte> bytes(protocol::encoded_length(message));
    EXPECT_EQ(protocol::encode(message, bytes), bytes.size());
    return bytes;
  }
};

// spec: reliability W1
TEST_F(DriverHostile, GrantsNoLeaseToARequestCutAtAnyLength) {
  start();
  Peer& client = peer();
  const auto whole = encoded(request(1, 10, Role::producer));
  for (std::size_t length = 1; length < whole.size(); ++length) {
    client.say_bytes({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
  }
  settle();
  EXPECT_TRUE(client.every<ShmAttachResponse>().empty());
  EXPECT_TRUE(driver->status().leases.empty());
  EXPECT_EQ(driver->status().jobs_pending, 0U);
  EXPECT_EQ(driver->status().counts.malformed, whole.size() - 1);
  EXPECT_TRUE(logged("malformed"));
}

TEST_F(DriverHostile, SurvivesEveryControlMessageCutAndStretchedAndFilledWithNoise) {
  start();
  Peer& client = peer();
  const ShmAttachResponse held = attach(client, 2, 99, Role::producer);
  std::mt19937 random(20240607);
  protocol::ConsumerHello hello;
  hello.descriptor_channel = "aeron:ipc";
  const std::vector<std::vector<std::byte>> originals{
      encoded(request(1, 10, Role::producer)), encoded(detach(held, 98, Role::producer)),
      encoded(keepalive(held, 98, Role::producer)), encoded(hello),
      encoded(protocol::ShmDriverShutdownRequest{1, protocol::ShutdownReason::admin, "token", "text"})};
  for (int round = 0; round < 2000; ++round) {
    auto bytes = originals[random() % originals.size()];
    bytes.resize(1 + random() % (bytes.size() + 8));
    for (unsigned flips = random() % 4; flips > 0 && bytes.size() > 8; --flips) {
      bytes[8 + random() % (bytes.size() - 8)] = static_cast<std::byte>(random());
    }
    client.say_bytes(bytes);
    if (round % 50 == 0) {
      settle();
    }
  }
  settle();
  const DriverStatus status = driver->status();
  EXPECT_GT(status.counts.malformed, 0U);
  EXPECT_EQ(status.streams[1].producer_id, 99U) << "the lease of an honest client stands";
  EXPECT_EQ(status.state, DriverState::running);
}

TEST_F(DriverHostile, BelievesNoLengthField) {
  start();
  Peer& client = peer();
  auto bytes = encoded(protocol::ShmDriverShutdownRequest{1, protocol::ShutdownReason::admin, "token", "text"});
  bytes[8 + 9 + 3] = std::byte{0x7F};  // the token's length becomes 2 GiB
  client.say_bytes(bytes);
  settle();
  EXPECT_EQ(driver->status().counts.malformed, 1U);
  EXPECT_EQ(driver->status().malformed_by_fault[static_cast<std::size_t>(protocol::DecodeFault::bad_length)], 1U);
}

// spec: driver §4.4a
TEST_F(DriverHostile, AnswersUnsupportedToANewerSchema) {
  start();
  Peer& client = peer();
  const auto wish = request(1, 10, Role::producer);
  auto bytes = encoded(wish);
  bytes[6] = std::byte{2};  // the header's version
  client.say_bytes(bytes);
  settle();
  const auto answer = client.last<ShmAttachResponse>();
  EXPECT_EQ(answer.code, ResponseCode::unsupported);
  EXPECT_EQ(answer.correlation_id, wish.correlation_id);
  EXPECT_TRUE(driver->status().leases.empty());
}

TEST_F(DriverHostile, AnswersARepeatedRequestOncePerEpochItMade) {
  start();
  Peer& client = peer();
  const auto wish = request(1, 10, Role::producer);
  const std::uint64_t made = driver->status().counts.epochs_made;
  for (int i = 0; i < 5; ++i) {
    client.say(wish);
  }
  settle();
  EXPECT_EQ(client.every<ShmAttachResponse>().size(), 1U);
  client.say(wish);
  settle();
  const auto answers = client.every<ShmAttachResponse>();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_EQ(driver->status().counts.epochs_made, made + 1);
  EXPECT_EQ(driver->status().leases.size(), 1U);
}

// spec: reliability W3
TEST_F(DriverHostile, IgnoresAForgedKeepalive) {
  start();
  Peer& client = peer();
  const ShmAttachResponse held = attach(client, 1, 10, Role::producer);
  for (int i = 0; i < 5; ++i) {
    client.say(keepalive(held, 11, Role::producer));
    client.say(keepalive(held, 10, Role::consumer));
    advance(1000 * ms);
  }
  const auto revoked = client.every<ShmLeaseRevoked>();
  ASSERT_FALSE(revoked.empty());
  EXPECT_EQ(revoked[0].lease_id, held.lease_id);
  EXPECT_EQ(revoked[0].reason, protocol::LeaseRevokeReason::expired);
}

TEST_F(DriverHostile, KeepsServingThroughAFloodOfRequests) {
  config.limits.pending_attaches = 8;
  config.limits.remembered_answers = 16;
  start();
  Peer& client = peer();
  const ShmAttachResponse held = attach(client, 2, 7, Role::producer);
  for (std::uint32_t i = 0; i < 3000; ++i) {
    client.say(request(i % 3, 1000 + i, Role::producer));
    if (i % 100 == 0) {
      client.say(keepalive(held, 7, Role::producer));
      cycle();
    }
  }
  settle();
  const DriverStatus status = driver->status();
  EXPECT_EQ(status.streams[1].producer_id, 7U);
  EXPECT_LE(status.leases.size(), 2U);
  EXPECT_EQ(status.counts.attaches + status.counts.refusals, 3001U);
}

// spec: reliability W3
TEST_F(DriverHostile, AnswersAFloodOfUnknownLeasesABoundedNumberOfTimes) {
  start();
  Peer& client = peer();
  for (std::size_t interval = 1; interval <= 3; ++interval) {
    for (std::uint64_t forged = 1; forged <= 1000; ++forged) {
      client.say(protocol::ShmLeaseKeepalive{forged, 1, 10, Role::consumer, 0});
    }
    settle();
    EXPECT_EQ(client.every<ShmLeaseRevoked>().size(), 256 * interval);
    advance(1000 * ms);
  }
}

}  // namespace
}  // namespace tensorpool::driver
