// Between the structs of messages.hpp and the bytes that travel on Aeron: an 8-byte header, a block of fixed fields,
// groups, var-data; little-endian and packed (SBE). Nothing here throws or asserts because of bytes that a peer sent,
// and a decoder allocates only in proportion to bytes that are really there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "protocol/messages.hpp"
#include "tensorpool/result.hpp"

namespace tensorpool::protocol {

// The first 8 bytes of every message, in wire order.
struct MessageHeader {
  std::uint16_t block_length = 0;
  std::uint16_t template_id = 0;
  std::uint16_t schema_id = 0;
  std::uint16_t version = 0;

  bool operator==(const MessageHeader&) const = default;
};
static_assert(sizeof(MessageHeader) == message_header_length);

// Why bytes are not the message that was asked for.
enum class DecodeFault : std::uint8_t {
  none,
  too_short,         // fewer bytes than the message header and the block it states
  unknown_schema,    // of another schema
  unknown_template,  // of another template
  newer_version,     // of a schema version that this build does not know
  short_block,       // the block of the message or of a group is shorter than its known fields
  bad_length,        // a group or var-data reaches past the end, or past the limit of its type
  bad_enum,          // an enumerated field holds a value without a name
  bad_value,         // a boolean that is neither 0 nor 1
};
[[nodiscard]] std::string_view to_string(DecodeFault fault) noexcept;

// "ShmAttachRequest" for (901, 1); "unknown message" for ids that no schema has.
[[nodiscard]] std::string_view message_name(std::uint16_t schema_id, std::uint16_t template_id) noexcept;

// The header alone; it fails only if there are fewer than 8 bytes.
[[nodiscard]] Expected<MessageHeader, DecodeFault> peek(std::span<const std::byte> bytes) noexcept;

// The correlation id of a request to the driver (attach, detach or shutdown) of whatever version, so that the driver
// can answer UNSUPPORTED to one it cannot decode. Nothing for any other message.
[[nodiscard]] std::optional<std::int64_t> peek_correlation_id(std::span<const std::byte> bytes) noexcept;

// A message without groups and var-data; reading and writing one allocates nothing.
template <class Message>
inline constexpr bool is_fixed_length = std::is_trivially_copyable_v<Message>;

struct DescribedField;  // described.hpp

// Where the work is done; instantiated in the *_codec.cpp files for the 29 messages of messages.hpp.
template <class Message>
struct Codec {
  static Expected<Message, DecodeFault> decode(std::span<const std::byte> bytes) noexcept(is_fixed_length<Message>);
  static std::size_t encoded_length(const Message& message) noexcept;
  static std::size_t encode(const Message& message, std::span<std::byte> out) noexcept;
  static std::vector<DescribedField> describe(const Message& message);
};

// Reads one message that starts at the first byte. A longer block and bytes after the last known field belong to a
// newer minor version and are skipped.
template <class Message>
[[nodiscard]] Expected<Message, DecodeFault> decode(std::span<const std::byte> bytes) noexcept(
    is_fixed_length<Message>) {
  return Codec<Message>::decode(bytes);
}

// Bytes of a message without groups and texts, the header included; of others, what stands before those.
template <class Message>
inline constexpr std::size_t fixed_length = message_header_length + Message::block_length;

// Bytes that encode() writes, the header included.
template <class Message>
[[nodiscard]] std::size_t encoded_length(const Message& message) noexcept {
  return Codec<Message>::encoded_length(message);
}

// Writes the message, header first, and returns the bytes written: 0 if `out` is too small, or if a text, blob or group
// is larger than the schema allows (what `out` then holds is unspecified).
template <class Message>
[[nodiscard]] std::size_t encode(const Message& message, std::span<std::byte> out) noexcept {
  return Codec<Message>::encode(message, out);
}

}  // namespace tensorpool::protocol
