#include "client/grant.hpp"

#include <gtest/gtest.h>

#include "support/time_units.hpp"

namespace tensorpool::detail {
namespace {

using protocol::ShmAttachResponse;

// A response whose one field is spoilt must never be mapped.
TEST(Grant, RefusesEveryMissingOrWrongField) {
  const Nanos now = 50 * second;
  ShmAttachResponse good;
  good.lease_id = 1;
  good.lease_expiry_timestamp_ns = static_cast<std::uint64_t>(now + second);
  good.stream_id = 5;
  good.epoch = 1;
  good.layout_version = 1;
  good.header_nslots = 8;
  good.header_slot_bytes = 256;
  good.payload_pools = {{1, 8, 4096, "shm:file?path=/a/1.pool"}, {2, 8, 8192, "shm:file?path=/a/2.pool"}};
  good.header_region_uri = "shm:file?path=/a/header.ring";
  const Expectation expected{5, 1, 3 * second};
  ASSERT_TRUE(grant_from(good, expected, now));
  EXPECT_EQ(grant_from(good, expected, now)->lease_duration_ns, second);

  const auto spoilt = [&](auto&& spoil) {
    ShmAttachResponse bad = good;
    spoil(bad);
    const auto grant = grant_from(bad, expected, now);
    return !grant && grant.error().code == ErrorCode::protocol_error && !grant.error().message.empty();
  };
  EXPECT_TRUE(spoilt([](auto& r) { r.lease_id.reset(); }));
  EXPECT_TRUE(spoilt([](auto& r) { r.stream_id.reset(); }));
  EXPECT_TRUE(spoilt([](auto& r) { r.stream_id = 6; }));
  EXPECT_TRUE(spoilt([](auto& r) { r.epoch.reset(); }));
  EXPECT_TRUE(spoilt([](auto& r) { r.layout_version.reset(); }));
  EXPECT_TRUE(spoilt([](auto& r) { r.layout_version = 2; }));
  EXPECT_TRUE(spoilt([](auto& r) { r.header_nslots.reset(); }));
  EXPECT_TRUE(spoilt([](auto& r) { r.header_nslots = 0; }));
  EXPECT_TRUE(spoilt([](auto& r) { r.header_nslots = 12; }));
  EXPECT_TRUE(spoilt([](auto& r) { r.header_slot_bytes.reset(); }));
  EXPECT_TRUE(spoilt([](auto& r) { r.header_slot_bytes = 255; }));
  EXPECT_TRUE(spoilt([](auto& r) { r.payload_pools.clear(); }));
  EXPECT_TRUE(spoilt([](auto& r) { r.payload_pools[1].pool_nslots = 16; }));
  EXPECT_TRUE(spoilt([](auto& r) { r.payload_pools[1].pool_id = 1; }));
  EXPECT_TRUE(spoilt([](auto& r) { r.payload_pools[1].stride_bytes = 100; }));
  EXPECT_TRUE(spoilt([](auto& r) { r.payload_pools[1].region_uri.clear(); }));
  EXPECT_TRUE(spoilt([](auto& r) { r.payload_pools[1].region_uri = "shm:file?path=a"; }));
  EXPECT_TRUE(spoilt([](auto& r) { r.header_region_uri = "file:/a"; }));
  EXPECT_TRUE(spoilt([](auto& r) { r.lease_expiry_timestamp_ns = 1; }));
}

TEST(Grant, AcceptsALeaseWithoutExpiryOrInAnotherClock) {
  ShmAttachResponse response;
  response.lease_id = 1;
  response.stream_id = 5;
  response.epoch = 1;
  response.layout_version = 1;
  response.header_nslots = 8;
  response.header_slot_bytes = 256;
  response.payload_pools = {{1, 8, 4096, "shm:file?path=/a/1.pool"}};
  response.header_region_uri = "shm:file?path=/a/header.ring";
  const Expectation any{0, 0, 3 * second};
  EXPECT_EQ(grant_from(response, any, second)->lease_duration_ns, 3 * second);
  response.lease_expiry_timestamp_ns = 1'700'000'000ULL * 1'000'000'000ULL;  // wall-clock time
  EXPECT_EQ(grant_from(response, any, second)->lease_duration_ns, 3 * second);
}

TEST(Announce, IsFreshWithinItsOwnClockAndNotFromBeforeWeListened) {
  protocol::ShmPoolAnnounce announce;
  const Nanos now = 100 * second;
  const Nanos realtime = 9000 * second;
  const auto fresh = [&](Nanos stamp, Nanos since) {
    announce.announce_timestamp_ns = static_cast<std::uint64_t>(stamp);
    return is_fresh(announce, 3 * second, since, now, realtime);
  };
  EXPECT_TRUE(fresh(now, 0));
  EXPECT_TRUE(fresh(now - 3 * second, 0));
  EXPECT_FALSE(fresh(now - 3 * second - 1, 0));
  EXPECT_FALSE(fresh(now - second, now));
  EXPECT_FALSE(fresh(now + 4 * second, 0));
  announce.announce_clock_domain = protocol::ClockDomain::realtime_synced;
  EXPECT_TRUE(fresh(realtime - second, now));
  EXPECT_FALSE(fresh(now, 0));
}

}  // namespace
}  // namespace tensorpool::detail
