// Length, encoder and decoder of every message, made from its Layout; included by the *_codec.cpp files alone. A
// static_assert holds each block against the length that the schema states. Every read is bounded by the bytes that are
// there, and every count and length is compared with them before anything is allocated or looped for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "base/bytes.hpp"
#include "protocol/codec.hpp"
#include "protocol/message_description.hpp"
#include "protocol/message_layout.hpp"

namespace tensorpool::protocol::wire {

// --- Blocks ---

template <class Owner>
inline constexpr std::size_t block_size = std::apply(
    [](const auto&... fields) { return (std::size_t{0} + ... + sizeof(fields.get({}))); }, Layout<Owner>::block);

// REQUIRES: block_size<Owner> bytes at `to`.
template <class Owner>
[[gnu::always_inline]] inline void put_block(const Owner& owner, std::byte* to) noexcept {
  std::apply([&](const auto&... fields) { ((store_le(to, fields.get(owner)), to += sizeof(fields.get(owner))), ...); },
             Layout<Owner>::block);
}

// Reads every field and returns the last fault. REQUIRES: block_size<Owner> bytes at `from`.
template <class Owner>
[[gnu::always_inline]] inline DecodeFault get_block(const std::byte* from, Owner& owner) noexcept {
  DecodeFault fault = DecodeFault::none;
  const auto get_field = [&](const auto& described) {
    using Wire = typename std::remove_cvref_t<decltype(described)>::Wire;
    const DecodeFault found = described.set(owner, load_le<Wire>(from));
    fault = found == DecodeFault::none ? fault : found;
    from += sizeof(Wire);
  };
  std::apply([&](const auto&... fields) { (get_field(fields), ...); }, Layout<Owner>::block);
  return fault;
}

// --- Tails: var-data is a length in 4 bytes and the bytes; a group is block length and count in 2 bytes each ---

inline constexpr std::size_t length_bytes = 4;
inline constexpr std::size_t group_header_bytes = 4;

template <class Owner>
std::size_t tail_length(const Owner& owner) noexcept {
  return std::apply(
      [&](auto... parts) { return (std::size_t{0} + ... + decltype(parts)::Codec::length(owner.*parts.member)); },
      Layout<Owner>::tail);
}

// False if there is no room, or a part exceeds its schema.
template <class Owner>
bool put_tail(const Owner& owner, ByteWriter& to) noexcept {
  return std::apply(
      [&](auto... parts) { return (true && ... && decltype(parts)::Codec::put(owner.*parts.member, to)); },
      Layout<Owner>::tail);
}

template <class Owner>
DecodeFault get_tail(ByteReader& from, Owner& owner) {
  DecodeFault fault = DecodeFault::none;
  const auto get_part = [&](auto described) {
    fault = decltype(described)::Codec::get(from, owner.*described.member);
    return fault == DecodeFault::none;
  };
  std::apply([&](auto... parts) { static_cast<void>((true && ... && get_part(parts))); }, Layout<Owner>::tail);
  return fault;
}

// T: std::string or Bytes.
template <class T, std::uint32_t max_length>
struct VarData {
  static std::size_t length(const T& data) noexcept { return length_bytes + data.size(); }

  static bool put(const T& data, ByteWriter& to) noexcept {
    return data.size() <= max_length && to.write(static_cast<std::uint32_t>(data.size())) &&
           to.append(std::as_bytes(std::span(data)));
  }

  static DecodeFault get(ByteReader& from, T& data) {
    std::uint32_t size = 0;
    std::span<const std::byte> bytes;
    if (!from.read(size) || size > max_length || !from.take(size, bytes)) {
      return DecodeFault::bad_length;
    }
    const auto* first = reinterpret_cast<const typename T::value_type*>(bytes.data());
    data.assign(first, first + bytes.size());
    return DecodeFault::none;
  }
};
template <>
struct PartOf<std::string> : VarData<std::string, max_var_data_length> {};
template <>
struct PartOf<Bytes> : VarData<Bytes, max_var_data_length> {};

inline bool put_group_header(std::size_t block_length, std::size_t count, ByteWriter& to) noexcept {
  return count <= max_group_entries && to.write(static_cast<std::uint16_t>(block_length)) &&
         to.write(static_cast<std::uint16_t>(count));
}

template <class Entry>
struct PartOf<std::vector<Entry>> {
  // What an entry takes at least, beside its block.
  static constexpr std::size_t least_tail = std::tuple_size_v<decltype(Layout<Entry>::tail)> * length_bytes;
  static_assert(block_size<Entry> == Entry::block_length && length_bytes == group_header_bytes);

  static std::size_t length(const std::vector<Entry>& entries) noexcept {
    std::size_t total = group_header_bytes + entries.size() * block_size<Entry>;
    for (const Entry& entry : entries) {
      total += tail_length(entry);
    }
    return total;
  }

  static bool put(const std::vector<Entry>& entries, ByteWriter& to) noexcept {
    bool fits = put_group_header(block_size<Entry>, entries.size(), to);
    for (std::size_t i = 0; fits && i < entries.size(); ++i) {
      std::array<std::byte, block_size<Entry>> block;
      put_block(entries[i], block.data());
      fits = to.append(block) && put_tail(entries[i], to);
    }
    return fits;
  }

  // The count is compared with the bytes that are there before anything is allocated for it.
  static DecodeFault get(ByteReader& from, std::vector<Entry>& entries) {
    std::uint16_t block_length = 0;
    std::uint16_t count = 0;
    if (!from.read(block_length) || !from.read(count) || count > max_group_entries ||
        count * (block_length + least_tail) > from.remaining()) {
      return DecodeFault::bad_length;
    }
    if (count > 0 && block_length < block_size<Entry>) {
      return DecodeFault::short_block;
    }
    entries.resize(count);
    for (Entry& entry : entries) {
      std::span<const std::byte> block;
      if (!from.take(block_length, block)) {
        return DecodeFault::bad_length;
      }
      DecodeFault fault = get_block(block.data(), entry);
      fault = fault == DecodeFault::none ? get_tail(from, entry) : fault;
      if (fault != DecodeFault::none) {
        return fault;
      }
    }
    return DecodeFault::none;
  }
};

// Discovery tags: entries are one text each. Their block length is written as 0 and means nothing when read.
template <>
struct PartOf<std::vector<std::string>> {
  static std::size_t length(const std::vector<std::string>& tags) noexcept {
    std::size_t total = group_header_bytes;
    for (const std::string& tag : tags) {
      total += PartOf<std::string>::length(tag);
    }
    return total;
  }

  static bool put(const std::vector<std::string>& tags, ByteWriter& to) noexcept {
    bool fits = put_group_header(0, tags.size(), to);
    for (std::size_t i = 0; fits && i < tags.size(); ++i) {
      fits = PartOf<std::string>::put(tags[i], to);
    }
    return fits;
  }

  static DecodeFault get(ByteReader& from, std::vector<std::string>& tags) {
    std::uint16_t block_length = 0;
    std::uint16_t count = 0;
    if (!from.read(block_length) || !from.read(count) || count > max_group_entries ||
        count * length_bytes > from.remaining()) {
      return DecodeFault::bad_length;
    }
    tags.resize(count);
    for (std::string& tag : tags) {
      if (const DecodeFault fault = PartOf<std::string>::get(from, tag); fault != DecodeFault::none) {
        return fault;
      }
    }
    return DecodeFault::none;
  }
};

}  // namespace tensorpool::protocol::wire

namespace tensorpool::protocol {

// Whether the header is one of a `Message` whose block lies within `bytes_after`.
template <class Message>
[[gnu::always_inline]] inline DecodeFault check_header(const MessageHeader& header, std::size_t bytes_after) noexcept {
  if (header.schema_id != Message::schema_id) {
    return DecodeFault::unknown_schema;
  }
  if (header.template_id != Message::template_id) {
    return DecodeFault::unknown_template;
  }
  if (header.version > schema_version) {
    return DecodeFault::newer_version;
  }
  if (header.block_length < Message::block_length) {
    return DecodeFault::short_block;
  }
  return header.block_length <= bytes_after ? DecodeFault::none : DecodeFault::too_short;
}

template <class Message>
[[gnu::always_inline]] inline DecodeFault decode_into(std::span<const std::byte> bytes, Message& message) {
  if (bytes.size() < message_header_length) {
    return DecodeFault::too_short;
  }
  const auto header = load_le<MessageHeader>(bytes.data());
  const auto body = bytes.subspan(message_header_length);
  if (const DecodeFault fault = check_header<Message>(header, body.size()); fault != DecodeFault::none) {
    return fault;
  }
  if (const DecodeFault fault = wire::get_block(body.data(), message); fault != DecodeFault::none) {
    return fault;
  }
  ByteReader rest(body.subspan(header.block_length));
  return wire::get_tail(rest, message);
}

template <class Message>
Expected<Message, DecodeFault> Codec<Message>::decode(std::span<const std::byte> bytes) noexcept(
    is_fixed_length<Message>) {
  static_assert(wire::block_size<Message> == Message::block_length);
  Expected<Message, DecodeFault> result{Message{}};  // the message is read into its place: no copy on the hot path
  if (const DecodeFault fault = decode_into(bytes, *result); fault != DecodeFault::none) {
    result = fault;
  }
  return result;
}

template <class Message>
std::size_t Codec<Message>::encoded_length(const Message& message) noexcept {
  return fixed_length<Message> + wire::tail_length(message);
}

template <class Message>
std::size_t Codec<Message>::encode(const Message& message, std::span<std::byte> out) noexcept {
  constexpr std::size_t fixed = fixed_length<Message>;
  if (out.size() < fixed) {
    return 0;
  }
  store_le(out.data(), MessageHeader{Message::block_length, Message::template_id, Message::schema_id, schema_version});
  wire::put_block(message, out.data() + message_header_length);
  ByteWriter rest(out.subspan(fixed));
  return wire::put_tail(message, rest) ? fixed + rest.position() : 0;
}

template <class Message>
std::vector<DescribedField> Codec<Message>::describe(const Message& message) {
  return wire::describe_members(message);
}

}  // namespace tensorpool::protocol
