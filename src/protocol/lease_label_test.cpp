#include "protocol/lease_label.hpp"

#include <gtest/gtest.h>

namespace tensorpool::protocol {
namespace {

const LeaseLabel label{1000, 0x7fff'ffff'ffff'ffff, 1001, 5, Role::producer, 123456};

TEST(LeaseLabel, IsReadBackAsItWasWritten) {
  const std::string text = format_lease_label(label, lease_keepalives_counter_type);
  EXPECT_EQ(text,
            "tensorpool 1000, lease 9223372036854775807: stream 1001 PRODUCER client 5 since 123456 ns: keepalives");
  EXPECT_EQ(parse_lease_label(text), label);
  LeaseLabel consumer = label;
  consumer.role = Role::consumer;
  EXPECT_EQ(parse_lease_label(format_lease_label(consumer, lease_expiry_counter_type)), consumer);
}

TEST(LeaseLabel, IsNothingElse) {
  const std::string text = format_lease_label(label, lease_expiry_counter_type);
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_EQ(parse_lease_label(text.substr(0, length)), std::nullopt) << length;
  }
  EXPECT_EQ(parse_lease_label(text + "x"), std::nullopt);
  EXPECT_EQ(parse_lease_label("tensorpool 1000, driver driver-01: keepalives"), std::nullopt);
  EXPECT_EQ(parse_lease_label("tensorpool 99999999999, lease 1: stream 1 PRODUCER client 5 since 1 ns: keepalives"),
            std::nullopt);
  EXPECT_EQ(parse_lease_label("tensorpool 1, lease 01: stream 1 PRODUCER client 5 since 1 ns: keepalives"),
            std::nullopt);
  EXPECT_EQ(parse_lease_label("tensorpool 1, lease -1: stream 1 PRODUCER client 5 since 1 ns: keepalives"),
            std::nullopt);
}

}  // namespace
}  // namespace tensorpool::protocol
