// What every golden vector must pass. The vectors are written by hand from the tables of the wire, as hexadecimal text
// with a comment for each field; none was made by the code under test.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "protocol/codec.hpp"
#include "protocol/described.hpp"

namespace tensorpool::protocol {

// "2300 0100" -> the bytes 23 00 01 00; blanks mean nothing.
inline Bytes hex(std::string_view text) {
  Bytes bytes;
  int high = -1;
  for (const char c : text) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high >= 0) bytes.push_back(static_cast<std::byte>(high * 16 + digit));
    high = high >= 0 ? -1 : digit;
  }
  EXPECT_EQ(high, -1) << "half a byte in: " << text;
  return bytes;
}

// Decodes from an allocation of exactly that size, so that the address sanitizer sees the first byte too many.
template <class Message>
Expected<Message, DecodeFault> decode_exact(std::span<const std::byte> bytes) {
  const auto copy = std::make_unique<std::byte[]>(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
  return decode<Message>({copy.get(), bytes.size()});
}

// DecodeFault::none if it decodes.
template <class Message>
DecodeFault fault_of(std::span<const std::byte> bytes) {
  const auto decoded = decode_exact<Message>(bytes);
  return decoded ? DecodeFault::none : decoded.error();
}

template <class T>
Bytes with(Bytes bytes, std::size_t offset, T value) {
  EXPECT_LE(offset + sizeof value, bytes.size());
  store_le(bytes.data() + offset, value);
  return bytes;
}

template <class Message>
Bytes encoded(const Message& message) {
  Bytes bytes(encoded_length(message));
  EXPECT_EQ(encode(message, bytes), bytes.size());
  return bytes;
}

template <class Message>
void expect_round_trip(const Message& message, const Bytes& golden) {
  EXPECT_EQ(encoded_length(message), golden.size());
  EXPECT_EQ(encoded(message), golden);
  const auto decoded = decode_exact<Message>(golden);
  ASSERT_TRUE(decoded.has_value()) << to_string(decoded.error());
  EXPECT_TRUE(*decoded == message);
}

// Every field is needed, so every truncation faults, and no smaller buffer takes the message.
template <class Message>
void expect_bounds(const Message& message, const Bytes& golden) {
  for (std::size_t size = 0; size < golden.size(); ++size) {
    const auto fault = fault_of<Message>(std::span(golden).first(size));
    EXPECT_TRUE(fault == DecodeFault::too_short || fault == DecodeFault::bad_length) << size << " bytes";
    Bytes small(size);
    EXPECT_EQ(encode(message, small), 0U) << size << " bytes";
  }
}

template <class Message>
void expect_header_gates(const Message& message, const Bytes& golden) {
  constexpr std::uint16_t one = 1;
  EXPECT_EQ(fault_of<Message>(with(golden, 0, std::uint16_t{Message::block_length - one})), DecodeFault::short_block);
  EXPECT_EQ(fault_of<Message>(with(golden, 0, std::uint16_t{0xFFFF})), DecodeFault::too_short);
  EXPECT_EQ(fault_of<Message>(with(golden, 2, std::uint16_t{99})), DecodeFault::unknown_template);
  EXPECT_EQ(fault_of<Message>(with(golden, 4, std::uint16_t{899})), DecodeFault::unknown_schema);
  EXPECT_EQ(fault_of<Message>(with(golden, 6, std::uint16_t{2})), DecodeFault::newer_version);

  Bytes longer = with(golden, 0, static_cast<std::uint16_t>(Message::block_length + 5));
  longer.insert(longer.begin() + message_header_length + Message::block_length, 5, std::byte{0xEE});
  longer.insert(longer.end(), 3, std::byte{0xEE});
  const auto decoded = decode_exact<Message>(longer);
  ASSERT_TRUE(decoded.has_value()) << "fields and parts of a newer minor version are skipped";
  EXPECT_TRUE(*decoded == message);
}

// Whatever stands in any four bytes, a decoder says so or decodes; the sanitizers watch.
template <class Message>
void expect_survives_damage(const Bytes& golden) {
  for (std::size_t offset = 0; offset + 4 <= golden.size(); ++offset) {
    for (const std::uint32_t value : {0U, 1U, 0x7FFFFFFFU, 0x80000000U, 0xFFFFFFFFU, 0xFFFF0000U, 0x0000FFFFU}) {
      static_cast<void>(fault_of<Message>(with(golden, offset, value)));
    }
  }
}

// Tools can show it, every field by its name.
inline void expect_description(const Bytes& golden) {
  const DescribedMessage described = describe(golden);
  EXPECT_EQ(described.fault, DecodeFault::none);
  EXPECT_FALSE(described.fields.empty());
  for (const DescribedField& field : described.fields) {
    EXPECT_EQ(field.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), field.name.npos) << field.name;
    EXPECT_FALSE(field.name.empty());
  }
}

template <class Message>
void expect_golden(const Message& message, const Bytes& golden) {
  expect_round_trip(message, golden);
  expect_bounds(message, golden);
  expect_header_gates(message, golden);
  expect_survives_damage<Message>(golden);
  EXPECT_NE(message_name(Message::schema_id, Message::template_id), "unknown message");
  expect_description(golden);
}

}  // namespace tensorpool::protocol
