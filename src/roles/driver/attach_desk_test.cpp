#include "roles/driver/attach_desk.hpp"

#include <gtest/gtest.h>

#include "protocol/constants.hpp"
#include "roles/driver/consumer_streams.hpp"

namespace tensorpool::driver {
namespace {

using protocol::PublishMode;
using protocol::ResponseCode;
using protocol::Role;
using protocol::ShmAttachRequest;

DriverConfig two_streams() {
  DriverConfig config;
  config.profiles.push_back({"small", 8, 256, 8, {{1, 64}}});
  config.profiles.push_back({"big", 16, 256, 8, {{1, 128}, {2, 256}}});
  config.streams.push_back({"cam1", 1, "small"});
  config.streams.push_back({"cam2", 2, "big"});
  return config;
}

// A desk over books of its own; streams are "provisioned" by hand, no file is touched.
struct Desk {
  explicit Desk(DriverConfig configured = two_streams(), bool hugepages = false)
      : config(std::move(configured)),
        streams(config),
        leases({7000, config.lease_duration_ns(), config.policies.unique_client_ids, config.limits.leases}),
        node_ids(1000),
        desk({config, leases, node_ids, streams, hugepages}) {}

  void provision(std::uint32_t stream_id, std::uint64_t epoch) {
    shm::RegionLayout layout;
    layout.stream_id = stream_id;
    layout.epoch = epoch;
    layout.nslots = 8;
    layout.header_path = "/shm/header.ring";
    layout.pools.push_back({1, 64, "/shm/1.pool"});
    streams.find(stream_id)->layout = layout;
  }
  // An attach as it goes when nothing is in the way.
  protocol::ShmAttachResponse attach(const ShmAttachRequest& request, Nanos now = 0) {
    const AttachVerdict verdict = desk.on(request, now);
    if (verdict.answer) {
      return *verdict.answer;
    }
    provision(verdict.stream_id, ++next);
    return desk.grant(verdict.lease_id, now);
  }

  const DriverConfig config;
  StreamTable streams;
  Leases leases;
  NodeIds node_ids;
  AttachDesk desk;
  std::uint64_t next = 100;
};

ShmAttachRequest request(std::uint32_t stream, std::uint32_t client, Role role, std::int64_t correlation = 0) {
  ShmAttachRequest r;
  r.correlation_id = correlation == 0 ? std::int64_t{client} * 1000 + stream : correlation;
  r.stream_id = stream;
  r.client_id = client;
  r.role = role;
  return r;
}

std::string text_of(const AttachVerdict& verdict) {
  return verdict.answer ? verdict.answer->error_message : "no answer";
}

// spec: driver §4.2
TEST(AttachDesk, GrantsAProducerEverythingItNeedsOnceItsEpochIsThere) {
  Desk d;
  const AttachVerdict verdict = d.desk.on(request(1, 10, Role::producer, 55), 5);
  EXPECT_FALSE(verdict.answer);
  EXPECT_EQ(verdict.awaits, AttachVerdict::Epoch::producer);
  d.provision(1, 42);
  const auto response = d.desk.grant(verdict.lease_id, 1000);
  EXPECT_EQ(response.correlation_id, 55);
  EXPECT_EQ(response.code, ResponseCode::ok);
  EXPECT_EQ(response.lease_id, verdict.lease_id);
  EXPECT_EQ(response.lease_expiry_timestamp_ns, static_cast<std::uint64_t>(1000 + 3 * nanos_per_second));
  EXPECT_EQ(response.stream_id, 1U);
  EXPECT_EQ(response.epoch, 42U);
  EXPECT_EQ(response.layout_version, 1U);
  EXPECT_EQ(response.header_nslots, 8U);
  EXPECT_EQ(response.header_slot_bytes, 256U);
  EXPECT_EQ(response.node_id, 1U);
  ASSERT_EQ(response.payload_pools.size(), 1U);
  EXPECT_EQ(response.payload_pools[0].pool_nslots, 8U);
  EXPECT_EQ(response.payload_pools[0].region_uri, "shm:file?path=/shm/1.pool");
  EXPECT_EQ(response.header_region_uri, "shm:file?path=/shm/header.ring");
}

TEST(AttachDesk, AnswersAConsumerAtOnceWhereTheStreamIsProvisioned) {
  Desk d;
  EXPECT_EQ(d.desk.on(request(1, 10, Role::consumer), 0).awaits, AttachVerdict::Epoch::idle);
  d.provision(1, 42);
  const AttachVerdict second = d.desk.on(request(1, 11, Role::consumer), 0);
  ASSERT_TRUE(second.answer);
  EXPECT_EQ(second.answer->code, ResponseCode::ok);
}

TEST(AttachDesk, SaysInvalidParamsToWhatIsNoRequest) {
  Desk d;
  const auto refused = [&](auto change) {
    ShmAttachRequest r = request(1, 10, Role::producer);
    change(r);
    const AttachVerdict verdict = d.desk.on(r, 0);
    ASSERT_TRUE(verdict.answer);
    EXPECT_EQ(verdict.answer->code, ResponseCode::invalid_params);
    EXPECT_FALSE(verdict.answer->error_message.empty());
    EXPECT_FALSE(verdict.answer->lease_id);
  };
  refused([](auto& r) { r.correlation_id = 1, r.role = static_cast<Role>(3); });
  refused([](auto& r) { r.correlation_id = 2, r.publish_mode = static_cast<PublishMode>(7); });
  refused([](auto& r) { r.correlation_id = 3, r.require_hugepages = static_cast<protocol::HugepagesPolicy>(9); });
  refused([](auto& r) { r.correlation_id = 4, r.client_id = 0; });
  EXPECT_EQ(d.leases.size(), 0U);
}

TEST(AttachDesk, RefusesInTheWordsThatOtherClientsMatch) {
  Desk d;
  d.attach(request(1, 10, Role::producer));
  EXPECT_EQ(text_of(d.desk.on(request(2, 10, Role::consumer), 0)), "client_id already attached");
  EXPECT_EQ(text_of(d.desk.on(request(1, 11, Role::producer), 0)), "producer already attached");
  EXPECT_EQ(text_of(d.desk.on(request(99, 12, Role::consumer), 0)), "stream not provisioned");
  ShmAttachRequest version = request(1, 13, Role::consumer);
  version.expected_layout_version = 2;
  EXPECT_EQ(text_of(d.desk.on(version, 0)), "layout_version mismatch");
  ShmAttachRequest node = request(1, 14, Role::consumer);
  node.desired_node_id = 1;  // the producer's
  EXPECT_EQ(text_of(d.desk.on(node, 0)), "node_id unavailable");
  d.desk.begin_draining();
  EXPECT_EQ(text_of(d.desk.on(request(1, 15, Role::consumer), 0)), "driver draining");
  EXPECT_EQ(d.leases.size(), 1U);
}

TEST(AttachDesk, HonoursTheHugepagesPolicyOfARequest) {
  Desk standard;
  ShmAttachRequest wants = request(1, 10, Role::producer);
  wants.require_hugepages = protocol::HugepagesPolicy::hugepages;
  EXPECT_EQ(standard.desk.on(wants, 0).answer->code, ResponseCode::rejected);
  Desk huge(two_streams(), true);
  EXPECT_FALSE(huge.desk.on(wants, 0).answer);
  ShmAttachRequest plain = request(2, 11, Role::producer);
  plain.require_hugepages = protocol::HugepagesPolicy::standard;
  EXPECT_EQ(huge.desk.on(plain, 0).answer->code, ResponseCode::rejected);
}

// spec: driver §4.8
TEST(AttachDesk, AnswersARepeatedRequestOnceWhilePendingAndTheSameAfterwards) {
  Desk d;
  const ShmAttachRequest r = request(1, 10, Role::producer);
  const AttachVerdict first = d.desk.on(r, 0);
  const AttachVerdict repeat = d.desk.on(r, 1);
  EXPECT_FALSE(repeat.answer);
  EXPECT_FALSE(repeat.awaits);
  d.provision(1, 42);
  const auto granted = d.desk.grant(first.lease_id, 10);
  const AttachVerdict again = d.desk.on(r, 20);
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(*again.answer, granted);
  EXPECT_EQ(d.leases.size(), 1U);
}

TEST(AttachDesk, RepeatsARefusalThoughTheReasonIsGone) {
  Desk d;
  const auto producer = d.attach(request(1, 10, Role::producer));
  const ShmAttachRequest r = request(1, 11, Role::producer);
  EXPECT_EQ(text_of(d.desk.on(r, 0)), "producer already attached");
  d.leases.end(*producer.lease_id);
  EXPECT_EQ(text_of(d.desk.on(r, 1)), "producer already attached");
  ShmAttachRequest anew = r;
  anew.correlation_id = 77;
  EXPECT_FALSE(d.desk.on(anew, 1).answer);
}

TEST(AttachDesk, NeverGrantsAReplayedRequestASecondLease) {
  Desk d;
  const ShmAttachRequest r = request(1, 10, Role::producer);
  const auto granted = d.attach(r);
  d.leases.end(*granted.lease_id);
  d.desk.forget_lease(*granted.lease_id);
  EXPECT_EQ(text_of(d.desk.on(r, 1)), "unknown lease");
  EXPECT_EQ(d.leases.size(), 0U);
}

// spec: reliability W2
TEST(AttachDesk, TellsTheSameCorrelationIdOfTwoClientsApart) {
  Desk d;
  const auto first = d.attach(request(1, 10, Role::consumer, 5));
  const auto second = d.attach(request(1, 11, Role::consumer, 5));
  EXPECT_EQ(second.code, ResponseCode::ok);
  EXPECT_NE(first.lease_id, second.lease_id);
}

TEST(AttachDesk, LeavesNoTraceOfAnAttachThatCouldNotBeProvisioned) {
  DriverConfig config = two_streams();
  config.policies.allow_dynamic_streams = true;
  config.driver.stream_id_range = StreamIdRange{100, 101};
  Desk d(config);
  ShmAttachRequest r = request(0, 10, Role::producer);
  r.publish_mode = PublishMode::existing_or_create;
  const AttachVerdict verdict = d.desk.on(r, 0);
  EXPECT_EQ(verdict.stream_id, 100U);
  const auto refusal = d.desk.refuse(verdict.lease_id, ResponseCode::internal_error, "no space", 0);
  EXPECT_EQ(refusal.code, ResponseCode::internal_error);
  EXPECT_EQ(refusal.error_message, "no space");
  EXPECT_EQ(d.streams.find(100), nullptr);
  EXPECT_EQ(d.leases.size(), 0U);
  EXPECT_EQ(d.desk.pending(), 0U);
}

// spec: driver §11
TEST(AttachDesk, MakesDynamicStreamsFromTheRange) {
  DriverConfig config = two_streams();
  config.policies.allow_dynamic_streams = true;
  config.driver.stream_id_range = StreamIdRange{100, 102};
  config.policies.profile_rules.push_back({{102, 102}, "big"});
  Desk d(config);
  const auto make = [&](std::uint32_t stream, std::uint32_t client) {
    ShmAttachRequest r = request(stream, client, Role::producer);
    r.publish_mode = PublishMode::existing_or_create;
    return d.attach(r);
  };
  EXPECT_EQ(make(102, 10).stream_id, 102U);
  EXPECT_EQ(d.streams.find(102)->profile->name, "big");
  EXPECT_EQ(make(0, 11).stream_id, 100U);
  EXPECT_EQ(d.streams.find(100)->profile->name, "small");
  EXPECT_EQ(make(0, 12).stream_id, 101U);
  EXPECT_EQ(make(0, 13).error_message, "no stream id is free in driver.stream_id_range");
  EXPECT_EQ(make(500, 14).code, ResponseCode::invalid_params);
  EXPECT_EQ(text_of(d.desk.on(request(500, 15, Role::consumer), 0)), "stream not provisioned");
}

TEST(AttachDesk, LetsAnUnusedDynamicStreamMakeRoom) {
  DriverConfig config = two_streams();
  config.policies.allow_dynamic_streams = true;
  config.driver.stream_id_range = StreamIdRange{100, 100};
  Desk d(config);
  ShmAttachRequest r = request(0, 10, Role::producer);
  r.publish_mode = PublishMode::existing_or_create;
  const auto first = d.attach(r);
  d.leases.end(*first.lease_id);
  r.client_id = 11;
  const AttachVerdict verdict = d.desk.on(r, 5);
  EXPECT_EQ(verdict.retired_stream, 100U);
  EXPECT_EQ(verdict.stream_id, 100U);
  EXPECT_EQ(verdict.awaits, AttachVerdict::Epoch::producer);
}

TEST(AttachDesk, RefusesDynamicStreamsWithoutARangeOrWithoutLeave) {
  DriverConfig config = two_streams();
  ShmAttachRequest r = request(0, 10, Role::producer);
  r.publish_mode = PublishMode::existing_or_create;
  EXPECT_EQ(text_of(Desk(config).desk.on(r, 0)), "stream not provisioned");
  config.policies.allow_dynamic_streams = true;
  Desk d(config);
  const AttachVerdict verdict = d.desk.on(r, 0);
  EXPECT_EQ(verdict.answer->code, ResponseCode::invalid_params);
  EXPECT_NE(text_of(verdict).find("driver.stream_id_range"), std::string::npos);
}

// spec: reliability T6
TEST(AttachDesk, BoundsWhatIsPendingAndWhatIsRemembered) {
  DriverConfig config = two_streams();
  config.limits.pending_attaches = 3;
  config.limits.remembered_answers = 5;
  Desk d(config);
  for (std::uint32_t client = 1; client <= 3; ++client) {
    EXPECT_FALSE(d.desk.on(request(1, client, Role::consumer), 0).answer);
  }
  for (std::uint32_t client = 4; client <= 50; ++client) {
    EXPECT_EQ(text_of(d.desk.on(request(1, client, Role::consumer), 0)),
              "too many attaches are pending; try again later");
  }
  EXPECT_EQ(d.leases.size(), 3U);
}

TEST(ConsumerStreams, GrantIdsFromTheRangesToWhoAsksAndTheSameOnesAgain) {
  DriverConfig config = two_streams();
  config.driver.descriptor_stream_id_range = StreamIdRange{31000, 31001};
  ConsumerStreams desk(config);
  Lease holder;
  holder.key = {1, 1, 10, Role::consumer};
  protocol::ConsumerHello hello;
  hello.stream_id = 1;
  hello.consumer_id = 10;
  hello.supports_shm = true;
  EXPECT_FALSE(desk.on(hello, holder));
  hello.descriptor_channel = "aeron:udp?endpoint=evil:1";
  hello.control_channel = "aeron:ipc";
  const auto granted = desk.on(hello, holder);
  ASSERT_TRUE(granted);
  EXPECT_EQ(granted->descriptor_stream_id, 31000U);
  EXPECT_EQ(granted->descriptor_channel, "aeron:ipc");
  EXPECT_EQ(granted->control_stream_id, 0U);  // no range: declined
  EXPECT_EQ(granted->control_channel, "");
  EXPECT_EQ(desk.on(hello, holder), granted);
}

TEST(ConsumerStreams, DeclineWhenTheRangeIsUsedUpAndGrantAgainAfterALeaseEnded) {
  DriverConfig config = two_streams();
  config.driver.descriptor_stream_id_range = StreamIdRange{31000, 31001};
  ConsumerStreams desk(config);
  const auto ask = [&](std::uint64_t lease_id, std::uint32_t wish) {
    Lease holder;
    holder.key.lease_id = lease_id;
    protocol::ConsumerHello hello;
    hello.descriptor_channel = "aeron:ipc";
    hello.descriptor_stream_id = wish;
    return desk.on(hello, holder)->descriptor_stream_id;
  };
  EXPECT_EQ(ask(1, 31001), 31001U);
  EXPECT_EQ(ask(2, 31001), 31000U);
  EXPECT_EQ(ask(3, 0), 0U);
  desk.lease_ended(1);
  EXPECT_EQ(ask(3, 0), 31001U);
}

}  // namespace
}  // namespace tensorpool::driver
