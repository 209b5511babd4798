// What a client sees of the driver while somebody else says what he likes on the control stream. spec: reliability §3
#include <gtest/gtest.h>
#include <malloc.h>

#include <random>

#include "roles/driver/driver_fixture.hpp"
#include "roles/driver/leases.hpp"

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

// Every answer is heard by everybody, so one consumer's hellos must not crowd out the others' answers.
TEST_F(DriverHostile, AnswersAFloodOfHellosABoundedNumberOfTimes) {
  config.driver.descriptor_stream_id_range = StreamIdRange{31000, 31099};
  start();
  Peer& client = peer();
  attach(client, 1, 10, Role::consumer);
  protocol::ConsumerHello hello;
  hello.stream_id = 1;
  hello.consumer_id = 10;
  hello.descriptor_channel = "aeron:ipc";
  for (std::size_t period = 1; period <= 3; ++period) {
    for (std::uint32_t i = 0; i < 1000; ++i) {
      hello.descriptor_stream_id = 31000 + i % 200;
      hello.supports_shm = i % 2 == 0;
      client.say(hello);
      hello.consumer_id = 1000 + i;  // nobody's
      client.say(hello);
      hello.consumer_id = 10;
    }
    client.say(request(2, 100 + static_cast<std::uint32_t>(period), Role::consumer));
    settle();
    const auto answers = client.every<protocol::ConsumerConfig>();
    EXPECT_EQ(answers.size(), 4 * period);
    EXPECT_EQ(answers.back().descriptor_stream_id, 31000U) << "one id, however often it asks";
    EXPECT_EQ(driver->status().counts.unanswered_hellos, 996 * period);
    EXPECT_EQ(client.last<ShmAttachResponse>().code, ResponseCode::ok) << "others are served";
    client.say(keepalive(client.every<ShmAttachResponse>()[0], 10, Role::consumer));
    advance(1000 * ms);
  }
}

// spec: reliability T10
TEST_F(DriverHostile, NeverPassesOnAChannelThatAHelloNames) {
  config.driver.descriptor_stream_id_range = StreamIdRange{31000, 31099};
  config.driver.control_stream_id_range = StreamIdRange{32000, 32099};
  start();
  Peer& client = peer();
  const std::vector<std::string> channels{"aeron:udp?endpoint=198.51.100.7:4000", "file:///etc/passwd",
                                          std::string(4097, 'x'), std::string("aeron:ipc\0?", 11),
                                          "aeron:ipc|term-length=1g"};
  std::uint32_t id = 10;
  for (const std::string& channel : channels) {
    attach(client, 1, id, Role::consumer);
    protocol::ConsumerHello hello;
    hello.stream_id = 1;
    hello.consumer_id = id++;
    hello.descriptor_channel = channel;
    hello.control_channel = channel;
    client.say(hello);
    settle();
    const auto answer = client.last<protocol::ConsumerConfig>();
    EXPECT_EQ(answer.consumer_id, hello.consumer_id);
    EXPECT_EQ(answer.descriptor_channel, config.driver.descriptor_channel);
    EXPECT_EQ(answer.control_channel, config.driver.control_channel);
    EXPECT_EQ(answer.payload_fallback_uri, "");
  }
}

TEST_F(DriverHostile, DeclinesOwnStreamsBeyondTheRangeAndGrantsThemOnceTheyAreFree) {
  config.driver.descriptor_stream_id_range = StreamIdRange{31000, 31000};
  start();
  Peer& client = peer();
  const auto granted_id = [&](std::uint32_t consumer) {
    protocol::ConsumerHello hello;
    hello.stream_id = 1;
    hello.consumer_id = consumer;
    hello.descriptor_channel = "aeron:ipc";
    client.say(hello);
    settle();
    EXPECT_EQ(client.last<protocol::ConsumerConfig>().consumer_id, consumer);
    return client.last<protocol::ConsumerConfig>().descriptor_stream_id;
  };
  const ShmAttachResponse first = attach(client, 1, 10, Role::consumer);
  attach(client, 1, 11, Role::consumer);
  EXPECT_EQ(granted_id(10), 31000U);
  EXPECT_EQ(granted_id(11), 0U);
  EXPECT_EQ(client.last<protocol::ConsumerConfig>().descriptor_channel, "") << "no channel without an id";
  client.say(detach(first, 10, Role::consumer));
  EXPECT_EQ(granted_id(11), 31000U);
}

// A consumer that asks, dies or leaves, and comes back, again and again.
TEST_F(DriverHostile, LeaksNothingToConsumersThatVanish) {
  config.driver.descriptor_stream_id_range = StreamIdRange{31000, 31001};
  config.driver.control_stream_id_range = StreamIdRange{32000, 32001};
  config.policies.lease_keepalive_interval_ms = 10;
  start();
  Peer& client = peer();
  advance(200 * ms);
  const auto before = transport::loopback::resources_of(bus);
  for (std::uint32_t life = 0; life < 1000; ++life) {
    const ShmAttachResponse granted = attach(client, 1, 10, Role::consumer);
    ASSERT_EQ(granted.code, ResponseCode::ok) << life;
    protocol::ConsumerHello hello;
    hello.stream_id = 1;
    hello.consumer_id = 10;
    hello.descriptor_channel = "aeron:ipc";
    hello.control_channel = "aeron:ipc";
    client.say(hello);
    settle();
    EXPECT_NE(client.last<protocol::ConsumerConfig>().descriptor_stream_id, 0U) << life;
    EXPECT_NE(client.last<protocol::ConsumerConfig>().control_stream_id, 0U) << life;
    if (life % 2 == 0) {
      client.say(detach(granted, 10, Role::consumer));
      settle();
    } else {
      for (int step = 0; step < 4; ++step) advance(10 * ms);  // a longer one would be the driver's own pause
    }
    ASSERT_TRUE(driver->status().leases.empty()) << life;
    client.all.clear();
  }
  advance(200 * ms);
  EXPECT_EQ(transport::loopback::resources_of(bus), before);
}

// spec: reliability W3
TEST_F(DriverHostile, CountsEveryForgedKeepaliveAndDetachAndLeavesTheLeaseAlone) {
  start();
  Peer& client = peer();
  const ShmAttachResponse held = attach(client, 1, 10, Role::producer);
  attach(client, 2, 11, Role::consumer);
  const LeaseStatus before = driver->status().leases[0];
  const std::vector<LeaseKey> forged{{*held.lease_id, 2, 10, Role::producer},
                                     {*held.lease_id, 1, 11, Role::producer},
                                     {*held.lease_id, 1, 10, Role::consumer},
                                     {*held.lease_id + 100, 1, 10, Role::producer},
                                     {0, 1, 10, Role::producer}};
  for (const LeaseKey& key : forged) {
    client.say(protocol::ShmLeaseKeepalive{key.lease_id, key.stream_id, key.client_id, key.role, 0});
    client.say(protocol::ShmDetachRequest{77, key.lease_id, key.stream_id, key.client_id, key.role});
    settle();
    EXPECT_EQ(client.last<protocol::ShmDetachResponse>().code, ResponseCode::rejected);
    EXPECT_EQ(client.last<protocol::ShmDetachResponse>().error_message, "unknown lease");
  }
  const DriverStatus status = driver->status();
  EXPECT_EQ(status.counts.unknown_leases, 2 * forged.size());
  EXPECT_EQ(status.counts.keepalives, 0U);
  EXPECT_EQ(status.counts.detaches, 0U);
  ASSERT_EQ(status.leases.size(), 2U);
  EXPECT_EQ(status.leases[0].lease_id, before.lease_id);
  EXPECT_EQ(status.leases[0].expires_at, before.expires_at);
  for (const ShmLeaseRevoked& revoked : client.every<ShmLeaseRevoked>()) {
    EXPECT_NE(revoked.lease_id, held.lease_id) << "a live lease is not called ended because somebody forged";
  }
}

// spec: driver §4.13
TEST_F(DriverHostile, IgnoresTenThousandWrongTokensInAHandfulOfLines) {
  config.policies.shutdown_token = "the right one";
  start();
  Peer& client = peer();
  log.clear();
  for (int i = 0; i < 10'000; ++i) {
    client.say(protocol::ShmDriverShutdownRequest{
        i, protocol::ShutdownReason::admin,
        i % 2 == 0 ? "the right onf" : std::string(static_cast<std::size_t>(i % 5000), 't'), "please"});
    if (i % 100 == 0) {
      now += 10 * ms;
      cycle();
    }
  }
  settle();
  EXPECT_EQ(driver->status().state, DriverState::running);
  EXPECT_EQ(driver->status().counts.bad_tokens, 10'000U);
  EXPECT_LE(log.size(), 3U);
  EXPECT_TRUE(logged("ignored a shutdown request without the right token"));
  EXPECT_FALSE(logged("the right on")) << "what was tried is not written down";
}

// Only the driver answers hellos, and what comes back on its own stream is not addressed to it.
TEST_F(DriverHostile, TakesNoOrdersFromWhoOnlySpeaksLikeADriverOrSupervisor) {
  config.driver.descriptor_stream_id_range = StreamIdRange{31000, 31001};
  start();
  Peer& client = peer();
  const ShmAttachResponse held = attach(client, 1, 10, Role::producer);
  attach(client, 1, 11, Role::consumer);
  protocol::ConsumerHello hello;
  hello.stream_id = 1;
  hello.consumer_id = 11;
  hello.descriptor_channel = "aeron:ipc";
  client.say(hello);
  settle();
  const DriverStatus before = driver->status();

  protocol::ConsumerConfig order = client.last<protocol::ConsumerConfig>();
  order.descriptor_stream_id = 31001;
  order.descriptor_channel = "aeron:udp?endpoint=198.51.100.7:4000";
  client.say(order);
  ShmAttachResponse grant = held;
  grant.epoch = *held.epoch + 1;
  client.say(grant);
  ShmLeaseRevoked revoked;
  revoked.lease_id = *held.lease_id;
  revoked.stream_id = 1;
  revoked.client_id = 10;
  revoked.role = Role::producer;
  client.say(revoked);
  client.say(protocol::ShmDriverShutdown{static_cast<std::uint64_t>(now), protocol::ShutdownReason::normal, ""});
  protocol::ShmPoolAnnounce announce = client.last<protocol::ShmPoolAnnounce>();
  announce.epoch += 5;
  client.say(announce);
  settle();

  const DriverStatus after = driver->status();
  EXPECT_EQ(after.state, DriverState::running);
  EXPECT_EQ(after.streams[0].epoch, before.streams[0].epoch);
  EXPECT_EQ(after.leases.size(), before.leases.size());
  EXPECT_EQ(after.counts.malformed, 0U);
  client.say(hello);
  settle();
  EXPECT_EQ(client.last<protocol::ConsumerConfig>().descriptor_stream_id, 31000U) << "as granted before";
}

// One client that asks for all there is, and lets go of what it gets.
TEST_F(DriverHostile, ServesOthersWhileOneClientAttachesWithoutEnd) {
  start();
  Peer& client = peer();
  const ShmAttachResponse held = attach(client, 1, 10, Role::producer);
  const std::uint64_t epochs = driver->status().counts.epochs_made;
  log.clear();
  for (int i = 0; i < 10'000; ++i) {
    client.say(request(2, 10, Role::producer));  // that id has a lease
    if (i % 25 == 0) {
      client.say(keepalive(held, 10, Role::producer));
      now += 10 * ms;
      cycle();
    }
  }
  EXPECT_EQ(attach(client, 2, 11, Role::consumer).code, ResponseCode::ok);
  const DriverStatus status = driver->status();
  EXPECT_EQ(status.counts.refusals, 10'000U);
  EXPECT_EQ(status.counts.epochs_made, epochs);
  EXPECT_EQ(status.leases.size(), 2U);
  EXPECT_EQ(status.counts.unsent, 0U);
  EXPECT_LE(log.size(), 6U);
}

// One process under a hundred thousand names, each asked for once. What it is given ends with its leases.
TEST_F(DriverHostile, KeepsNoMoreOfAHundredThousandAttachesThanOfTwentyThousand) {
  config.limits.leases = 64;
  start();
  Peer& client = peer();
  const ShmAttachResponse held = attach(client, 1, 10, Role::producer);
  log.clear();
  std::size_t kept = 0;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    client.say(request(1 + i % 2, 1000 + i, Role::consumer));
    if (i % 25 == 0) {
      client.say(keepalive(held, 10, Role::producer));
      now += 10 * ms;
      cycle();
      client.all.clear();
    }
    if (i == 20'000) kept = ::mallinfo2().uordblks;
  }
  EXPECT_LE(::mallinfo2().uordblks, kept + (std::size_t{1} << 20));
  EXPECT_LE(driver->status().leases.size(), 64U);
  EXPECT_EQ(driver->status().streams[0].producer_id, 10U) << "its keepalives were heard";
  EXPECT_EQ(attach(client, 2, 11, Role::producer).code, ResponseCode::rejected);
  for (int periods = 0; periods < 10; ++periods) {
    client.say(keepalive(held, 10, Role::producer));
    advance(1000 * ms);
  }
  EXPECT_EQ(attach(client, 2, 11, Role::producer).code, ResponseCode::ok);
  EXPECT_EQ(driver->status().streams[0].producer_id, 10U);
}

TEST_F(DriverHostile, WritesABoundedNumberOfLinesAboutAClientThatComesAndGoes) {
  start();
  Peer& client = peer();
  log.clear();
  for (std::uint32_t i = 0; i < 500; ++i) {
    client.say(detach(attach(client, 1, 10, Role::consumer), 10, Role::consumer));
  }
  settle();
  EXPECT_EQ(driver->status().counts.attaches, 500U);
  EXPECT_EQ(driver->status().counts.detaches, 500U);
  EXPECT_LE(log.size(), 100U);
  EXPECT_TRUE(logged("attached, epoch"));
  now += 1000 * ms;
  attach(client, 1, 10, Role::consumer);
  EXPECT_TRUE(logged("more like this were not logged"));
}

}  // namespace
}  // namespace tensorpool::driver
