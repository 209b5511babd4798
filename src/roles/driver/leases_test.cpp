#include "roles/driver/leases.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "roles/driver/node_ids.hpp"
#include "roles/driver/token.hpp"

namespace tensorpool::driver {
namespace {

using protocol::Role;
using Refusal = Leases::Refusal;

LeaseOptions options(bool unique = true) { return {1000, 300, unique, 8}; }

LeaseKey attach(Leases& leases, std::uint32_t stream, std::uint32_t client, Role role, Nanos now) {
  const LeaseKey key = leases.reserve(stream, client, role, std::nullopt).key;
  EXPECT_NE(leases.confirm(key.lease_id, now), nullptr);
  return key;
}

// spec: driver §5
TEST(Leases, AllowOneProducerPerStreamAndAnyNumberOfConsumers) {
  Leases leases(options());
  attach(leases, 1, 10, Role::producer, 0);
  EXPECT_EQ(leases.may_grant(1, 11, Role::producer), Refusal::producer_attached);
  EXPECT_EQ(leases.may_grant(2, 11, Role::producer), Refusal::none);
  attach(leases, 1, 12, Role::consumer, 0);
  EXPECT_EQ(leases.may_grant(1, 13, Role::consumer), Refusal::none);
  EXPECT_EQ(leases.producer_of(1), 10U);
  EXPECT_EQ(leases.consumers_of(1), 1U);
}

// spec: driver §4.8
TEST(Leases, AllowOneLeasePerClientIdEvenForAnotherStream) {
  Leases leases(options());
  attach(leases, 1, 10, Role::consumer, 0);
  EXPECT_EQ(leases.may_grant(2, 10, Role::consumer), Refusal::client_id_attached);
}

TEST(Leases, AllowAClientIdTwiceForAnotherRoleOrStreamWhereTheyNeedNotBeUnique) {
  Leases leases(options(false));
  attach(leases, 1, 10, Role::consumer, 0);
  EXPECT_EQ(leases.may_grant(1, 10, Role::consumer), Refusal::client_id_attached);
  EXPECT_EQ(leases.may_grant(2, 10, Role::consumer), Refusal::none);
  EXPECT_EQ(leases.may_grant(1, 10, Role::producer), Refusal::none);
}

TEST(Leases, KeepThePlaceOfAPendingAttachWithoutEverExpiringIt) {
  Leases leases(options());
  const std::uint64_t id = leases.reserve(1, 10, Role::producer, std::nullopt).key.lease_id;
  EXPECT_TRUE(leases.expire(1'000'000, 10).empty());
  EXPECT_EQ(leases.may_grant(1, 11, Role::producer), Refusal::producer_attached);
  EXPECT_EQ(leases.producer_of(1), std::nullopt);
  EXPECT_FALSE(leases.keepalive({id, 1, 10, Role::producer}, 0));
  leases.confirm(id, 1'000'000);
  EXPECT_TRUE(leases.expire(1'000'299, 10).empty());
  EXPECT_EQ(leases.expire(1'000'300, 10).size(), 1U);
}

TEST(Leases, ExtendOnlyTheLeaseThatAKeepaliveNamesExactly) {
  Leases leases(options());
  const LeaseKey key = attach(leases, 1, 10, Role::producer, 0);
  LeaseKey wrong = key;
  wrong.role = Role::consumer;
  EXPECT_FALSE(leases.keepalive(wrong, 100));
  wrong = key;
  ++wrong.client_id;
  EXPECT_FALSE(leases.keepalive(wrong, 100));
  wrong = key;
  ++wrong.stream_id;
  EXPECT_FALSE(leases.keepalive(wrong, 100));
  EXPECT_TRUE(leases.keepalive(key, 200));
  EXPECT_TRUE(leases.expire(499, 10).empty());
  EXPECT_EQ(leases.expire(500, 10).size(), 1U);
  EXPECT_EQ(leases.size(), 0U);
  EXPECT_EQ(leases.may_grant(1, 11, Role::producer), Refusal::none);
}

TEST(Leases, NeverGiveAnIdTwice) {
  Leases leases(options());
  const LeaseKey first = attach(leases, 1, 10, Role::producer, 0);
  EXPECT_TRUE(leases.end(first.lease_id).has_value());
  EXPECT_FALSE(leases.end(first.lease_id).has_value());
  EXPECT_NE(attach(leases, 1, 10, Role::producer, 0).lease_id, first.lease_id);
  EXPECT_TRUE(leases.was_issued(first.lease_id));
  EXPECT_FALSE(leases.was_issued(first.lease_id + 2));
  EXPECT_FALSE(leases.was_issued(first.lease_id - 1));
}

TEST(Leases, StayWithin63BitsAndAvoidZeroWhereverTheyStart) {
  Leases leases({std::numeric_limits<std::uint64_t>::max(), 300, true, 8});
  const LeaseKey first = attach(leases, 1, 1, Role::consumer, 0);
  const LeaseKey second = attach(leases, 1, 2, Role::consumer, 0);
  EXPECT_EQ(first.lease_id, std::numeric_limits<std::uint64_t>::max() >> 1);
  EXPECT_EQ(second.lease_id, 1U);
  EXPECT_TRUE(leases.was_issued(first.lease_id));
  EXPECT_TRUE(leases.was_issued(second.lease_id));
}

TEST(Leases, AreBoundedInNumber) {
  Leases leases(options());
  for (std::uint32_t client = 1; client <= 8; ++client) {
    attach(leases, 1, client, Role::consumer, 0);
  }
  EXPECT_EQ(leases.may_grant(1, 99, Role::consumer), Refusal::too_many);
}

TEST(Leases, ExpireABoundedNumberPerCallAndForgetNone) {
  Leases leases(options());
  for (std::uint32_t client = 1; client <= 5; ++client) {
    attach(leases, 1, client, Role::consumer, 0);
  }
  EXPECT_EQ(leases.expire(300, 2).size(), 2U);
  EXPECT_EQ(leases.expire(300, 2).size(), 2U);
  EXPECT_EQ(leases.expire(300, 2).size(), 1U);
  EXPECT_FALSE(leases.in_use(1));
}

TEST(Leases, CanBeExtendedAllAtOnceAfterASilenceOfTheDriversOwn) {
  Leases leases(options());
  attach(leases, 1, 10, Role::producer, 0);
  leases.extend_all_to(5000);
  EXPECT_TRUE(leases.expire(4999, 10).empty());
  EXPECT_EQ(leases.expire(5000, 10).size(), 1U);
}

TEST(NodeIds, AreSequentialAndStickToAClientWhileItLives) {
  NodeIds ids(1000);
  EXPECT_EQ(ids.assign(7, std::nullopt, 0), 1U);
  EXPECT_EQ(ids.assign(8, std::nullopt, 0), 2U);
  EXPECT_EQ(ids.assign(7, std::nullopt, 0), 1U);
  EXPECT_EQ(ids.assign(7, 1, 0), 1U);
  EXPECT_EQ(ids.assign(7, 5, 0), std::nullopt);
}

TEST(NodeIds, StickToAClientAcrossDetachAndAttach) {
  NodeIds ids(1000);
  ASSERT_EQ(ids.assign(7, std::nullopt, 0), 1U);
  for (Nanos now = 0; now < 5; ++now) {  // within the cooldown, which is for others
    ids.release(1, now);
    EXPECT_EQ(ids.assign(7, std::nullopt, now), 1U);
  }
  ids.release(1, 5);
  EXPECT_EQ(ids.assign(8, std::nullopt, 10'000), 2U) << "ids that no client had come first";
  ids.release(2, 10'000);
  EXPECT_EQ(ids.assign(7, std::nullopt, 20'000), 1U);
  EXPECT_EQ(ids.assign(8, 2, 10'001), 2U) << "its own one may be asked for while it rests";
}

TEST(NodeIds, GoToAnotherClientThatAsksForThemOrWhenNoneIsLeft) {
  NodeIds ids(1000);
  ASSERT_EQ(ids.assign(7, std::nullopt, 0), 1U);
  ids.release(1, 0);
  EXPECT_EQ(ids.assign(8, 1, 999), std::nullopt);
  EXPECT_EQ(ids.assign(8, 1, 1000), 1U);
  EXPECT_EQ(ids.assign(7, std::nullopt, 1000), 2U) << "its own one is another's now";

  NodeIds few(1000);
  for (std::uint32_t client = 1; client <= node_id_count; ++client) {
    ASSERT_TRUE(few.assign(client, std::nullopt, 0));
  }
  few.release(9, 50);
  few.release(4, 60);
  EXPECT_EQ(few.assign(5000, std::nullopt, 1049), std::nullopt) << "both rest";
  EXPECT_EQ(few.assign(4, std::nullopt, 1049), 4U) << "for others";
  few.release(4, 1049);
  EXPECT_EQ(few.assign(5000, std::nullopt, 3000), 9U) << "released longest ago";
  EXPECT_EQ(few.assign(9, std::nullopt, 3000), 4U) << "its own one is gone, and 4 is the only one that is free";
  EXPECT_EQ(few.assign(4, std::nullopt, 3000), std::nullopt);
}

TEST(NodeIds, OfAClientThatAskedForAnotherAreFree) {
  NodeIds ids(1000);
  ASSERT_EQ(ids.assign(7, std::nullopt, 0), 1U);
  EXPECT_FALSE(ids.may_assign(7, 5, 0)) << "it uses 1";
  ids.release(1, 0);
  EXPECT_EQ(ids.assign(7, 5, 0), 5U);
  ids.release(5, 0);
  EXPECT_EQ(ids.assign(7, std::nullopt, 0), 5U);
  EXPECT_EQ(ids.assign(8, 1, 999), std::nullopt) << "what it gave up rests all the same";
  EXPECT_EQ(ids.assign(8, 1, 1000), 1U);
}

TEST(NodeIds, RestAfterUse) {
  NodeIds ids(1000);
  ASSERT_EQ(ids.assign(7, 5, 0), 5U);
  EXPECT_FALSE(ids.may_assign(8, 5, 0));
  ids.release(5, 100);
  EXPECT_EQ(ids.assign(8, 5, 1099), std::nullopt);
  EXPECT_EQ(ids.assign(8, 5, 1100), 5U);
}

TEST(NodeIds, AreAtMostTenBits) {
  NodeIds ids(1000);
  EXPECT_EQ(ids.assign(1, 1024, 0), std::nullopt);
  for (std::uint32_t client = 1; client <= node_id_count; ++client) {
    const auto id = ids.assign(client, std::nullopt, 0);
    ASSERT_TRUE(id.has_value());
    EXPECT_LT(*id, node_id_count);
  }
  EXPECT_EQ(ids.assign(5000, std::nullopt, 0), std::nullopt);
}

TEST(Token, MatchesOnlyItsEqualAndNeverTheEmptyOne) {
  EXPECT_TRUE(token_matches("secret", "secret"));
  for (const char* wrong : {"", "secre", "secrets", "Secret", "secretsecret"}) {
    EXPECT_FALSE(token_matches("secret", wrong)) << wrong;
  }
  EXPECT_FALSE(token_matches("", ""));
  EXPECT_FALSE(token_matches("", "x"));
}

}  // namespace
}  // namespace tensorpool::driver
